//! The connection to the coordinator: TLS 1.3 to a pinned authority, through the proxy that the
//! environment names, and errors in words that tell a person what to do.
//!
//! What it must not know: what travels over it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use quorate_wire::{RemoteProblem, from_status};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tower::{Service, service_fn};

type Failure = Box<dyn Error + Send + Sync>;

const CONNECT: Duration = Duration::from_secs(10);

/// Why the coordinator could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Not an address.
    #[error("`{0}` is not an address: write `https://host:port`")]
    Address(String),
    /// The coordinator has an objection.
    #[error("{}", problem_text(.0))]
    Problem(RemoteProblem),
    /// Nobody there, or the connection broke.
    #[error("cannot reach the coordinator at {url}: {why}")]
    Unreachable {
        /// Where.
        url: String,
        /// What is known, and what to do.
        why: String,
    },
    /// Somebody is there who is not the coordinator.
    #[error("{url} is not your network's coordinator: {why}")]
    Stranger {
        /// Where.
        url: String,
        /// What is known, and what to do.
        why: String,
    },
    /// The coordinator does not know us.
    #[error(
        "the coordinator at {url} does not accept this machine's certificate ({why}); ask its operator for a token and run `quorate login TOKEN`"
    )]
    NotWelcome {
        /// Where.
        url: String,
        /// What is known.
        why: String,
    },
    /// The coordinator sent something that is no message.
    #[error("the coordinator at {url} sent something unreadable: {why}")]
    Garbled {
        /// Where.
        url: String,
        /// What is known.
        why: String,
    },
}

impl LinkError {
    /// Whether trying again later can help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => problem.code == "L706",
            Self::Address(_)
            | Self::Stranger { .. }
            | Self::NotWelcome { .. }
            | Self::Garbled { .. } => false,
        }
    }
}

fn problem_text(problem: &RemoteProblem) -> String {
    match &problem.write {
        Some(write) => format!("{} {}; write `{write}`", problem.code, problem.message),
        None => format!("{} {}", problem.code, problem.message),
    }
}

/// A channel that connects when it is first used and again whenever the connection is lost.
///
/// # Errors
/// If the address is none.
pub fn channel(url: &str, tls: rustls::ClientConfig) -> Result<Channel, LinkError> {
    let wrong = || LinkError::Address(url.to_owned());
    let target: Uri = url.parse().map_err(|_| wrong())?;
    let host = target.host().ok_or_else(wrong)?.to_owned();
    let authority = target.authority().ok_or_else(wrong)?.to_string();
    let port = target.port_u16().unwrap_or(443);
    let tls = TlsConnector::from(Arc::new(tls));
    let connector = service_fn(move |_: Uri| {
        let (target, host, tls) = (target.clone(), host.clone(), tls.clone());
        async move {
            let dialled = tokio::time::timeout(CONNECT, dial(&target, &host, port, tls)).await;
            dialled
                .map_err(|_| Failure::from("timed out"))?
                .map(TokioIo::new)
        }
    });
    // The scheme is `http` for tonic because TLS happens in the connector.
    let endpoint = Endpoint::from_shared(format!("http://{authority}")).map_err(|_| wrong())?;
    Ok(endpoint
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
        .connect_with_connector_lazy(connector))
}

async fn dial(
    target: &Uri,
    host: &str,
    port: u16,
    tls: TlsConnector,
) -> Result<TlsStream<TcpStream>, Failure> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let proxy = if is_loopback(bare) {
        None
    } else {
        Matcher::from_env().intercept(target)
    };
    let tcp = match proxy {
        Some(proxy) => {
            let mut tunnel = Tunnel::new(proxy.uri().clone(), HttpConnector::new());
            if let Some(auth) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(auth.clone());
            }
            let through: Result<TokioIo<TcpStream>, _> = tunnel.call(target.clone()).await;
            through
                .map_err(|error| {
                    format!(
                        "the proxy {} does not let us through: {error}",
                        shown(proxy.uri())
                    )
                })?
                .into_inner()
        }
        None => TcpStream::connect((bare, port)).await?,
    };
    tcp.set_nodelay(true)?;
    let name = rustls::pki_types::ServerName::try_from(bare.to_owned())?;
    Ok(tls.connect(name, tcp).await?)
}

/// A proxy's address without user and password.
fn shown(proxy: &Uri) -> String {
    let host = proxy.host().unwrap_or_default();
    proxy
        .port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// What a failed call means for a person.
#[must_use]
pub fn classify(status: &Status, url: &str) -> LinkError {
    if let Some(problem) = from_status(status) {
        return LinkError::Problem(problem);
    }
    let url = url.to_owned();
    let causes = causes(status);
    let any = |words: &[&str]| words.iter().any(|word| causes.contains(word));
    if any(&[
        "UnknownIssuer",
        "invalid peer certificate",
        "NotValidForName",
    ]) {
        let why = "its certificate is not from the authority you enrolled with. If your institution opens TLS, \
                   ask its IT department to exempt this address; otherwise tell the operator"
            .to_owned();
        return LinkError::Stranger { url, why };
    }
    if any(&["fatal alert", "CertificateRequired", "CertificateExpired"]) {
        let why = last(&causes);
        return LinkError::NotWelcome { url, why };
    }
    let why = if any(&["Connection refused", "os error 111"]) {
        "nobody listens there; is the coordinator running? Its operator can tell".to_owned()
    } else if any(&["failed to lookup", "Name or service not known", "dns error"]) {
        "the host name is unknown; check the address in config.toml and your network".to_owned()
    } else if any(&["does not let us through"]) {
        last(&causes)
    } else if any(&["timed out", "deadline", "elapsed"])
        || status.code() == tonic::Code::DeadlineExceeded
    {
        "no answer in time; check your network, or ask the operator".to_owned()
    } else {
        match status.code() {
            tonic::Code::Unavailable | tonic::Code::Unknown | tonic::Code::Cancelled => {
                format!("the connection broke ({})", last(&causes))
            }
            tonic::Code::Internal if any(&["transport", "h2", "connection", "stream"]) => {
                format!("the connection broke ({})", last(&causes))
            }
            _ => {
                return LinkError::Garbled {
                    url,
                    why: last(&causes),
                };
            }
        }
    };
    LinkError::Unreachable { url, why }
}

/// The message of a status and of everything that caused it.
fn causes(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut source: Option<&dyn Error> = status.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

/// The innermost cause.
fn last(causes: &str) -> String {
    causes
        .rsplit(": ")
        .find(|part| !part.trim().is_empty())
        .unwrap_or("no reason given")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use quorate_query::problem::{Code, Problem};

    use super::*;

    const URL: &str = "https://hub:8443";

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Cause(&'static str);

    fn broken(cause: &'static str) -> LinkError {
        classify(&Status::from_error(Box::new(Cause(cause))), URL)
    }

    #[test]
    fn a_problem_keeps_its_code_and_does_not_pass_by_itself() {
        let problem = Problem::of(Code("G501"));
        let error = classify(&quorate_wire::to_status(&problem), URL);
        assert!(
            matches!(&error, LinkError::Problem(told) if told.code == "G501"),
            "{error}"
        );
        assert!(!error.is_passing());
        let busy = classify(&quorate_wire::to_status(&Problem::of(Code("L706"))), URL);
        assert!(busy.is_passing(), "too many requests pass");
    }

    #[test]
    fn a_foreign_certificate_is_a_stranger() {
        let error = broken("invalid peer certificate: UnknownIssuer");
        assert!(matches!(error, LinkError::Stranger { .. }), "{error}");
        assert!(!error.is_passing());
    }

    #[test]
    fn a_refused_certificate_leads_to_login() {
        let error = broken("received fatal alert: CertificateExpired");
        assert!(matches!(error, LinkError::NotWelcome { .. }), "{error}");
        assert!(error.to_string().contains("quorate login"), "{error}");
    }

    #[test]
    fn a_broken_connection_passes() {
        for cause in [
            "Connection refused (os error 111)",
            "dns error: failed to lookup",
            "timed out",
            "h2 reset",
        ] {
            let error = broken(cause);
            assert!(error.is_passing(), "{cause}: {error:?}");
            assert!(error.to_string().contains(URL));
        }
        assert!(!classify(&Status::unimplemented("no such service"), URL).is_passing());
    }

    #[test]
    fn an_address_must_be_one() {
        let tls = || quorate_identity::tls::enrol_client_config(&[0; 32]).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let _inside = runtime.enter();
        assert!(channel("https://hub:8443", tls()).is_ok());
        assert!(matches!(
            channel("not an address", tls()),
            Err(LinkError::Address(_))
        ));
        assert!(is_loopback("127.0.0.1") && is_loopback("::1") && !is_loopback("hub"));
    }
}

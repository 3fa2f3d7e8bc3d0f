//! From here to the coordinator's socket: the proxy, TCP, TLS. Each step has its own error, so that
//! `doctor` and the log can say which one failed and whose turn it is.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::ServiceExt;

use crate::policy::Proxy;

/// How long each of name, TCP, proxy and TLS may take together.
const PATIENCE: Duration = Duration::from_secs(15);

/// The coordinator cannot be reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// No usable address in the policy.
    #[error("`{0}` is not an https address: correct `node.coordinator` in the policy")]
    Address(String),
    /// The name does not resolve.
    #[error(
        "{host}: the name cannot be resolved ({what}): check `node.coordinator` and the DNS of this machine"
    )]
    Name {
        /// The host.
        host: String,
        /// What the system said.
        what: String,
    },
    /// No TCP connection.
    #[error(
        "{host}:{port}: no connection ({what}): the coordinator is down, or a firewall is in between"
    )]
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the system said.
        what: String,
    },
    /// The proxy wants a password.
    #[error(
        "the proxy {proxy} asks for a user name and password: write `proxy = \"http://user:password@host:port\"`"
    )]
    ProxyPassword {
        /// The proxy, without the password.
        proxy: String,
    },
    /// The proxy does not let us through.
    #[error(
        "the proxy {proxy} does not connect to {target} ({what}): ask your IT department to allow CONNECT to it"
    )]
    Proxy {
        /// The proxy, without the password.
        proxy: String,
        /// The coordinator.
        target: String,
        /// What happened.
        what: String,
    },
    /// TLS failed.
    #[error("{host}: TLS failed ({what}): run `quorate-node doctor`")]
    Tls {
        /// The host.
        host: String,
        /// What rustls said.
        what: String,
    },
    /// Nothing happened for too long.
    #[error("{0}: no answer within 15 seconds")]
    Timeout(String),
}

/// Where the coordinator is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) uri: Uri,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    /// The host and port of an https address.
    pub(crate) fn parse(url: &str) -> Result<Self, DialError> {
        let wrong = || DialError::Address(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some("https") {
            return Err(wrong());
        }
        let host = uri
            .host()
            .ok_or_else(wrong)?
            .trim_matches(['[', ']'])
            .to_owned();
        let port = uri.port_u16().unwrap_or(443);
        Ok(Self { uri, host, port })
    }
}

/// How to get out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Straight.
    Direct,
    /// Through an HTTP CONNECT proxy.
    Proxy { uri: Uri, auth: Option<HeaderValue> },
}

impl Route {
    /// The way to a target, as the policy says. `Proxy::Env` reads `HTTPS_PROXY` and `NO_PROXY`.
    /// This machine itself is never reached through a proxy that only the environment names.
    pub(crate) fn choose(proxy: &Proxy, target: &Target) -> Self {
        let own = target.host == "localhost"
            || target
                .host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        let matcher = match proxy {
            Proxy::None => return Self::Direct,
            Proxy::Env if own => return Self::Direct,
            Proxy::Env => Matcher::from_env(),
            Proxy::Url(url) => Matcher::builder().all(url.as_str()).build(),
        };
        match matcher.intercept(&target.uri) {
            None => Self::Direct,
            Some(found) => Self::Proxy {
                uri: found.uri().clone(),
                auth: found.basic_auth().cloned(),
            },
        }
    }
}

/// A TCP connection to the target, through the proxy if there is one.
pub(crate) async fn dial(route: &Route, target: &Target) -> Result<TcpStream, DialError> {
    let dialling = async {
        let stream = match route {
            Route::Direct => direct(&target.host, target.port).await?,
            Route::Proxy { uri, auth } => tunnel(uri, auth.as_ref(), target).await?,
        };
        // Frames are small and answers wait for nothing.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    };
    let timely = tokio::time::timeout(PATIENCE, dialling).await;
    timely.map_err(|_| DialError::Timeout(target.host.clone()))?
}

async fn direct(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let unresolved = |what: String| DialError::Name {
        host: host.to_owned(),
        what,
    };
    let addresses = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<_> = addresses
        .map_err(|error| unresolved(error.to_string()))?
        .collect();
    if addresses.is_empty() {
        return Err(unresolved("no address".to_owned()));
    }
    let connected = TcpStream::connect(addresses.as_slice()).await;
    connected.map_err(|error| DialError::Tcp {
        host: host.to_owned(),
        port,
        what: error.to_string(),
    })
}

async fn tunnel(
    uri: &Uri,
    auth: Option<&HeaderValue>,
    target: &Target,
) -> Result<TcpStream, DialError> {
    let proxy = format!(
        "{}:{}",
        uri.host().unwrap_or_default(),
        uri.port_u16().unwrap_or(80)
    );
    if uri.scheme_str() != Some("http") {
        let target = format!("{}:{}", target.host, target.port);
        let what = "only proxies that are addressed by http:// are supported".to_owned();
        return Err(DialError::Proxy {
            proxy,
            target,
            what,
        });
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    let mut tunnel = Tunnel::new(uri.clone(), tcp);
    if let Some(auth) = auth {
        tunnel = tunnel.with_auth(auth.clone());
    }
    let opened = tunnel.oneshot(target.uri.clone()).await;
    opened.map(TokioIo::into_inner).map_err(|error| {
        let what = chain(&error);
        // The library's error type is private; only its text tells the two cases apart.
        if what.contains("proxy authorization required") {
            return DialError::ProxyPassword { proxy };
        }
        let target = format!("{}:{}", target.host, target.port);
        DialError::Proxy {
            proxy,
            target,
            what,
        }
    })
}

/// TLS over a connection.
pub(crate) async fn secure(
    tcp: TcpStream,
    config: ClientConfig,
    target: &Target,
) -> Result<TlsStream<TcpStream>, DialError> {
    let failed = |what: String| DialError::Tls {
        host: target.host.clone(),
        what,
    };
    let name = ServerName::try_from(target.host.clone())
        .map_err(|_| failed("not a host name".to_owned()))?;
    let shaking = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let timely = tokio::time::timeout(PATIENCE, shaking).await;
    let shaken = timely.map_err(|_| DialError::Timeout(target.host.clone()))?;
    shaken.map_err(|error| failed(error.to_string()))
}

/// An error and what caused it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let target = Target::parse("https://hub.example.org:8443").unwrap();
        assert_eq!(
            (target.host.as_str(), target.port),
            ("hub.example.org", 8443)
        );
        let target = Target::parse("https://[::1]").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 443));
        for wrong in ["http://hub", "hub:8443", "https://", ""] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_policy_chooses_the_way() {
        let target = Target::parse("https://hub.example.org:8443").unwrap();
        assert_eq!(Route::choose(&Proxy::None, &target), Route::Direct);
        let proxy = Proxy::Url("http://alice:secret@proxy.example.org:3128".to_owned());
        let Route::Proxy { uri, auth } = Route::choose(&proxy, &target) else {
            panic!("direct")
        };
        assert_eq!(uri.port_u16(), Some(3128));
        assert_eq!(auth.unwrap().to_str().unwrap(), "Basic YWxpY2U6c2VjcmV0");
    }

    #[tokio::test]
    async fn a_closed_port_and_an_unknown_name_are_told_apart() {
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let target = Target::parse(&format!("https://{free}")).unwrap();
        let error = dial(&Route::Direct, &target).await.unwrap_err();
        assert!(matches!(error, DialError::Tcp { .. }), "{error}");
        let target = Target::parse("https://no-such-host.invalid").unwrap();
        let error = dial(&Route::Direct, &target).await.unwrap_err();
        assert!(matches!(error, DialError::Name { .. }), "{error}");
    }
}

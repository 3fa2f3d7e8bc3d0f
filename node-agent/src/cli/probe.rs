//! What the network looks like from here, step by step, and what to tell the IT department.

use quorate_identity::tls::{Verdict, describe, judge, probe_config};

use crate::link::dial::{DialError, Route, Target, dial, secure};
use crate::policy::Policy;

/// What the probe of the coordinator's address came to.
pub(crate) enum Seen {
    /// No connection at all.
    Unreachable(DialError),
    /// TLS did not even begin.
    NoTls(String),
    /// A certificate was shown, and judged.
    Shown(Verdict, Vec<String>),
}

/// How the coordinator is reached.
pub(crate) fn route_text(route: &Route, target: &Target) -> String {
    match route {
        Route::Direct => format!("directly to {}:{}", target.host, target.port),
        Route::Proxy { uri, auth } => {
            let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
            let with = if auth.is_some() {
                " with a password"
            } else {
                ""
            };
            format!(
                "through the proxy {host}:{port}{with} to {}:{}",
                target.host, target.port
            )
        }
    }
}

/// Opens a connection, looks at the certificate that is shown, and trusts nothing.
pub(crate) async fn look(policy: &Policy, ca_pem: &str, now: i64) -> Result<Seen, DialError> {
    let target = Target::parse(&policy.node.coordinator)?;
    let route = Route::choose(&policy.node.proxy, &target);
    let tcp = match dial(&route, &target).await {
        Ok(tcp) => tcp,
        Err(error) => return Ok(Seen::Unreachable(error)),
    };
    let (config, presented) = match probe_config() {
        Ok(pair) => pair,
        Err(error) => return Ok(Seen::NoTls(error.to_string())),
    };
    // The probe's verifier refuses always, so that this cannot succeed.
    let what = secure(tcp, config, &target)
        .await
        .err()
        .map(|error| error.to_string());
    let chain = presented.chain();
    if chain.is_empty() {
        return Ok(Seen::NoTls(what.unwrap_or_default()));
    }
    let links = describe(&chain).into_iter();
    let links = links
        .map(|link| format!("{} (issued by {})", link.subject, link.issuer))
        .collect();
    Ok(match judge(&chain, &target.host, ca_pem, now) {
        Ok(verdict) => Seen::Shown(verdict, links),
        Err(error) => Seen::NoTls(error.to_string()),
    })
}

/// The text to send to the IT department when somebody opens TLS on the way.
pub(crate) fn letter(target: &str, issuer: &str, expected_ca: &str) -> String {
    format!(
        "To the IT department:\n\
         \n\
         Connections from this machine to {target} are opened and signed again on the way by a\n\
         TLS-inspecting proxy. The certificate that arrives here was issued by\n\
         \n    {issuer}\n\n\
         and not by the authority of the research network, whose fingerprint is\n\
         \n    {expected_ca}\n\n\
         The program `quorate-node` authenticates both ends with certificates (mutual TLS 1.3), which\n\
         inspection breaks by design. Please exempt the destination {target} from TLS inspection:\n\
         outgoing TCP, TLS 1.3, ALPN h2, one long-lived connection; no incoming port is needed. What\n\
         crosses it are signed questions and aggregated, disclosure-controlled answers; no records."
    )
}

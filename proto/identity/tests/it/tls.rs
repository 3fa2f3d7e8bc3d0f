//! TLS as it is set up here: who gets in, who does not, and that nothing is resumed.

use std::sync::Arc;

use quorate_identity::tls::{
    self, TlsError, Verdict, check_csr, client_config, enrol_client_config, judge, new_csr,
    probe_config, server_config, uri,
};
use quorate_identity::{Name, Role};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SanType, date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection,
};

use crate::support::name;

const HOST: &str = "hub.example.org";
/// 2026-06-01, within the validity of the test certificates.
const JUNE: i64 = 1_780_272_000;

/// A certificate authority for tests.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(common_name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    fn sha256(&self) -> [u8; 32] {
        tls::fingerprint(&self.pem).unwrap()
    }

    fn leaf(
        &self,
        names: Vec<SanType>,
        use_for: ExtendedKeyUsagePurpose,
        last_year: i32,
    ) -> (String, String) {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = names;
        params.extended_key_usages = vec![use_for];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        (
            params.signed_by(&key, &self.issuer).unwrap().pem(),
            key.serialize_pem(),
        )
    }

    /// A server for `HOST` that presents its chain with the authority, as a coordinator does.
    fn server(&self, last_year: i32, clients: &Authority) -> ServerConfig {
        let names = vec![SanType::DnsName(HOST.try_into().unwrap())];
        let (cert, key) = self.leaf(names, ExtendedKeyUsagePurpose::ServerAuth, last_year);
        server_config(&format!("{cert}{}", self.pem), &key, &clients.pem).unwrap()
    }

    fn client_cert(&self, last_year: i32) -> (String, String) {
        let san = SanType::URI("quorate://node/cleveland".try_into().unwrap());
        self.leaf(vec![san], ExtendedKeyUsagePurpose::ClientAuth, last_year)
    }
}

/// Runs a handshake in memory, to its end or to the first error of either side.
fn handshake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> Result<(ClientConnection, ServerConnection), String> {
    let host = HOST.try_into().unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), host).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    for _ in 0..20 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        deliver(&wire, |bytes| server.read_tls(bytes));
        server
            .process_new_packets()
            .map_err(|e| format!("server: {e}"))?;
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        deliver(&wire, |bytes| client.read_tls(bytes));
        client
            .process_new_packets()
            .map_err(|e| format!("client: {e}"))?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok((client, server))
}

fn deliver(
    mut wire: &[u8],
    mut read: impl FnMut(&mut dyn std::io::Read) -> std::io::Result<usize>,
) {
    while !wire.is_empty() {
        read(&mut wire).unwrap();
    }
}

fn refused(client: ClientConfig, server: ServerConfig) -> String {
    handshake(&Arc::new(client), &Arc::new(server))
        .map(|_| ())
        .unwrap_err()
}

#[test]
fn a_node_and_its_coordinator_meet() {
    let ca = Authority::new("heart CA");
    let (cert, key) = ca.client_cert(2100);
    let client = client_config(&ca.pem, &[], Some((&cert, &key))).unwrap();
    let server = ca.server(2100, &ca);
    let (client, server) = handshake(&Arc::new(client), &Arc::new(server)).unwrap();
    assert_eq!(
        client.protocol_version(),
        Some(rustls::ProtocolVersion::TLSv1_3)
    );
    assert_eq!(server.alpn_protocol(), Some(b"h2".as_slice()));

    let presented = server.peer_certificates().unwrap();
    let peer = tls::peer(&presented[0]).unwrap();
    assert_eq!((peer.role, peer.name.as_str()), (Role::Node, "cleveland"));
    assert_eq!(peer.sha256, tls::fingerprint(&cert).unwrap());
    assert!(peer.not_before < JUNE && JUNE < peer.not_after);
}

#[test]
fn without_a_certificate_one_gets_in_but_is_nobody() {
    let ca = Authority::new("heart CA");
    let client = client_config(&ca.pem, &[], None).unwrap();
    let (_, server) = handshake(&Arc::new(client), &Arc::new(ca.server(2100, &ca))).unwrap();
    assert!(server.peer_certificates().is_none());
}

#[test]
fn foreign_and_expired_client_certificates_are_refused() {
    let (ca, foreign) = (Authority::new("heart CA"), Authority::new("heart CA"));
    for (issuer, last_year) in [(&foreign, 2100), (&ca, 2021)] {
        let (cert, key) = issuer.client_cert(last_year);
        let client = client_config(&ca.pem, &[], Some((&cert, &key))).unwrap();
        let error = refused(client, ca.server(2100, &ca));
        assert!(
            error.starts_with("server: invalid peer certificate"),
            "{error}"
        );
    }
    // A server's certificate is no client certificate.
    let (cert, key) = ca.leaf(
        vec![SanType::URI("quorate://node/cleveland".try_into().unwrap())],
        ExtendedKeyUsagePurpose::ServerAuth,
        2100,
    );
    let client = client_config(&ca.pem, &[], Some((&cert, &key))).unwrap();
    assert!(refused(client, ca.server(2100, &ca)).starts_with("server: invalid peer certificate"));
}

#[test]
fn foreign_and_expired_servers_are_refused() {
    let (ca, foreign) = (
        Authority::new("heart CA"),
        Authority::new("Hospital Proxy CA"),
    );
    for server in [foreign.server(2100, &ca), ca.server(2021, &ca)] {
        let client = client_config(&ca.pem, &[], None).unwrap();
        let error = refused(client, server);
        assert!(
            error.starts_with("client: invalid peer certificate"),
            "{error}"
        );
    }
    // unless the custodian added the proxy's authority by hand
    let client = client_config(&ca.pem, std::slice::from_ref(&foreign.pem), None).unwrap();
    handshake(&Arc::new(client), &Arc::new(foreign.server(2100, &ca))).unwrap();
}

#[test]
fn the_first_contact_trusts_the_pinned_authority_only() {
    let (ca, foreign) = (Authority::new("heart CA"), Authority::new("heart CA"));
    let enrol = || enrol_client_config(&ca.sha256()).unwrap();
    handshake(&Arc::new(enrol()), &Arc::new(ca.server(2100, &ca))).unwrap();
    assert!(refused(enrol(), foreign.server(2100, &ca)).starts_with("client:"));
    assert!(refused(enrol(), ca.server(2021, &ca)).starts_with("client:"));

    // A liar that shows the right authority behind a certificate of its own.
    let names = vec![SanType::DnsName(HOST.try_into().unwrap())];
    let (cert, key) = foreign.leaf(names, ExtendedKeyUsagePurpose::ServerAuth, 2100);
    let liar = server_config(&format!("{cert}{}", ca.pem), &key, &ca.pem).unwrap();
    assert!(refused(enrol(), liar).starts_with("client:"));

    // The right authority, for another host.
    let names = vec![SanType::DnsName("evil.example.org".try_into().unwrap())];
    let (cert, key) = ca.leaf(names, ExtendedKeyUsagePurpose::ServerAuth, 2100);
    let other = server_config(&format!("{cert}{}", ca.pem), &key, &ca.pem).unwrap();
    assert!(refused(enrol(), other).starts_with("client:"));
}

#[test]
fn tls_1_2_is_refused() {
    // A TLS 1.2 ClientHello by hand: this build of rustls cannot even speak it.
    let mut body = vec![3, 3];
    body.extend([7; 32]); // random
    body.push(0); // no session id
    body.extend([0, 4, 0xc0, 0x2b, 0xc0, 0x2f]); // ECDHE with AES-128-GCM
    body.extend([1, 0]); // no compression
    let groups = [0, 10, 0, 4, 0, 2, 0, 29];
    let schemes = [0, 13, 0, 4, 0, 2, 4, 3];
    body.extend([0, 16]);
    body.extend(groups);
    body.extend(schemes);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(body);

    let ca = Authority::new("heart CA");
    let mut server = ServerConnection::new(Arc::new(ca.server(2100, &ca))).unwrap();
    server.read_tls(&mut record.as_slice()).unwrap();
    let error = server.process_new_packets().unwrap_err();
    assert!(
        matches!(error, rustls::Error::PeerIncompatible(_)),
        "refused for its version, not as garbage: {error:?}"
    );
}

#[test]
fn nothing_is_resumed() {
    let ca = Authority::new("heart CA");
    // A client that would love to resume, against a server of ours and one that resumes.
    let mut roots = RootCertStore::empty();
    roots
        .add(tls::certificates(&ca.pem).unwrap()[0].clone())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut eager = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    eager.alpn_protocols = vec![b"h2".to_vec()];
    let eager = Arc::new(eager);

    let second = |client: &Arc<ClientConfig>, server: ServerConfig| {
        let server = Arc::new(server);
        handshake(client, &server).unwrap();
        handshake(client, &server).unwrap().1.handshake_kind()
    };
    let mut careless = ca.server(2100, &ca);
    careless.session_storage = rustls::server::ServerSessionMemoryCache::new(16);
    careless.send_tls13_tickets = 2;
    assert_eq!(
        second(&eager, careless),
        Some(HandshakeKind::Resumed),
        "the check can fail"
    );
    assert_eq!(
        second(&eager, ca.server(2100, &ca)),
        Some(HandshakeKind::Full)
    );

    let mut careless = ca.server(2100, &ca);
    careless.session_storage = rustls::server::ServerSessionMemoryCache::new(16);
    careless.send_tls13_tickets = 2;
    let ours = Arc::new(client_config(&ca.pem, &[], None).unwrap());
    assert_eq!(second(&ours, careless), Some(HandshakeKind::Full));
}

#[test]
fn a_probe_sees_who_signed_and_trusts_nobody() {
    let namesake = Authority::new("heart CA");
    let (ca, proxy) = (
        Authority::new("heart CA"),
        Authority::new("Hospital Proxy CA"),
    );
    let cases = [
        (ca.server(2100, &ca), "ours"),
        (ca.server(2021, &ca), "invalid"),
        (proxy.server(2100, &ca), "foreign"),
        (namesake.server(2100, &ca), "namesake"),
    ];
    for (server, expected) in cases {
        let (config, presented) = probe_config().unwrap();
        assert_eq!(
            judge(&presented.chain(), HOST, &ca.pem, JUNE).unwrap(),
            Verdict::Nothing
        );
        assert!(
            refused(config, server).starts_with("client:"),
            "a probe never connects"
        );
        let chain = presented.chain();
        assert_eq!(tls::describe(&chain).len(), 2);
        match judge(&chain, HOST, &ca.pem, JUNE).unwrap() {
            Verdict::Ours => assert_eq!(expected, "ours"),
            Verdict::OursButInvalid(why) => {
                assert_eq!(expected, "invalid");
                assert!(why.to_lowercase().contains("expired"), "{why}");
            }
            Verdict::Foreign { issuer } => {
                let proxy = expected == "foreign" && issuer.contains("Hospital Proxy CA");
                let namesake = expected == "namesake" && issuer.contains("heart CA");
                assert!(proxy || namesake, "{expected}: {issuer}");
            }
            Verdict::Nothing => panic!("a chain was presented"),
        }
    }
}

#[test]
fn a_request_carries_one_name_and_its_key_stays_home() {
    let cleveland = name("cleveland");
    let request = new_csr(&uri(Role::Node, &cleveland)).unwrap();
    assert!(request.csr_pem.contains("BEGIN CERTIFICATE REQUEST"));
    assert!(!request.csr_pem.contains("PRIVATE"));
    assert!(!format!("{request:?}").contains("PRIVATE"));
    let key = check_csr(&request.csr_pem, Role::Node, &cleveland).unwrap();

    // The certified key is the one that the node kept.
    let ca = Authority::new("heart CA");
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI("quorate://node/cleveland".try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let cert = params.signed_by(&key, &ca.issuer).unwrap().pem();
    let client = client_config(&ca.pem, &[], Some((&cert, &request.key_pem))).unwrap();
    handshake(&Arc::new(client), &Arc::new(ca.server(2100, &ca))).unwrap();

    for (role, other) in [(Role::Node, "hungary"), (Role::Researcher, "cleveland")] {
        assert!(matches!(
            check_csr(&request.csr_pem, role, &name(other)),
            Err(TlsError::Csr(_))
        ));
    }
    assert!(matches!(
        check_csr("nonsense", Role::Node, &cleveland),
        Err(TlsError::Csr(_))
    ));
    assert!(matches!(
        new_csr("https://example.org"),
        Err(TlsError::Uri(_))
    ));
}

#[test]
fn a_request_for_more_than_the_name_is_refused() {
    let mut params = CertificateParams::default();
    let uri = SanType::URI("quorate://node/cleveland".try_into().unwrap());
    params.subject_alt_names = vec![uri, SanType::DnsName(HOST.try_into().unwrap())];
    let greedy = params
        .serialize_request(&KeyPair::generate().unwrap())
        .unwrap()
        .pem()
        .unwrap();
    let refused = check_csr(&greedy, Role::Node, &name("cleveland"));
    assert!(matches!(refused, Err(TlsError::Csr(_))));
}

#[test]
fn a_certificate_names_exactly_one_party() {
    let ca = Authority::new("heart CA");
    let san = |text: &str| SanType::URI(text.try_into().unwrap());
    let read = |names| {
        let (pem, _) = ca.leaf(names, ExtendedKeyUsagePurpose::ClientAuth, 2100);
        tls::peer(&tls::certificates(&pem).unwrap()[0])
    };
    let alice = read(vec![san("quorate://researcher/alice")]).unwrap();
    assert_eq!(
        (alice.role, alice.name),
        (Role::Researcher, Name::parse("alice").unwrap())
    );
    for names in [
        vec![],
        vec![SanType::DnsName(HOST.try_into().unwrap())],
        vec![
            san("quorate://researcher/alice"),
            san("quorate://node/cleveland"),
        ],
        vec![san("quorate://king/alice")],
        vec![san("quorate://researcher/Alice")],
        vec![san("quorate://researcher/alice/x")],
        vec![san("https://example.org/researcher/alice")],
    ] {
        assert!(matches!(read(names), Err(TlsError::Uri(_))));
    }
    assert!(matches!(tls::peer(b"nonsense"), Err(TlsError::Unreadable)));
}

#[test]
fn unusable_files_are_named() {
    let ca = Authority::new("heart CA");
    let (cert, key) = ca.client_cert(2100);
    let (_, other_key) = ca.client_cert(2100);
    assert!(matches!(
        client_config("", &[], None),
        Err(TlsError::NoCertificate(_))
    ));
    assert!(matches!(
        server_config(&cert, "", &ca.pem),
        Err(TlsError::NoKey)
    ));
    assert!(matches!(
        server_config(&cert, &other_key, &ca.pem),
        Err(TlsError::Rustls(_))
    ));
    assert!(server_config(&cert, &key, &ca.pem).is_ok());
}

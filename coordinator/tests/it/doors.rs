//! Who is let in: tokens, certificates, roles, revocation, roster.

use quorate_identity::roster::write_log;
use quorate_identity::{Role, SigningKey, tls};
use quorate_wire::v1::hub_frame::Frame;
use quorate_wire::v1::research_client::ResearchClient;
use quorate_wire::v1::{ListRequest, QuestionRef};

use crate::net::Net;
use crate::party::{Party, code, connect};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_works_once_and_only_for_its_holder() {
    let net = Net::start();
    let token = net.token("node", "north");
    let key = || SigningKey::generate().unwrap();
    let other = Party::enrol_as(&token, key(), Role::Node, "south").await;
    assert_eq!(code(&other.err().unwrap()), "A413");
    let role = Party::enrol_as(&token, key(), Role::Researcher, "north").await;
    assert_eq!(code(&role.err().unwrap()), "A413");
    let custodian = Party::enrol_as(&token, key(), Role::Custodian, "north").await;
    assert_eq!(code(&custodian.err().unwrap()), "A413");
    let mut wrong = net.token("node", "north");
    wrong.secret = "0".repeat(64);
    assert_eq!(
        code(&Party::enrol(&wrong, key()).await.err().unwrap()),
        "A413"
    );
    let party = Party::enrol(&token, key()).await.unwrap();
    assert_eq!(party.welcome.network, "heart");
    assert_eq!(party.welcome.codebooks.len(), 1);
    assert_eq!(
        code(&Party::enrol(&token, key()).await.err().unwrap()),
        "A413"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_service_wants_a_certificate_of_its_role() {
    let net = Net::start();
    let node = net.party("node", "north").await;
    let listed = node.research().await.list(ListRequest { limit: 1 }).await;
    assert_eq!(code(&listed.unwrap_err()), "A411");
    let researcher = net.party("researcher", "alice").await;
    assert_eq!(code(&researcher.attach().await.err().unwrap()), "A411");
    let nobody = tls::client_config(&node.ca, &[], None).unwrap();
    let mut client = ResearchClient::new(connect(&net.url, nobody).await.unwrap());
    let listed = client.list(ListRequest { limit: 1 }).await;
    assert_eq!(code(&listed.unwrap_err()), "A411");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_refused_in_the_handshake() {
    let (net, other) = (Net::start(), Net::start());
    let stranger = other.party("node", "north").await;
    let home = net.party("node", "north").await;
    let identity = Some((stranger.certificate.as_str(), stranger.tls_key.as_str()));
    let config = tls::client_config(&home.ca, &[], identity).unwrap();
    // In TLS 1.3 the client learns of its refusal with its first request at the latest.
    if let Ok(channel) = connect(&net.url, config).await {
        let mut client = ResearchClient::new(channel);
        assert!(client.list(ListRequest { limit: 1 }).await.is_err());
    }
    assert!(net.logged("handshake refused").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_without_a_place_in_the_roster_opens_nothing() {
    let net = Net::start();
    let key = || SigningKey::generate().unwrap();
    let node = Party::enrol(&net.token("node", "north"), key())
        .await
        .unwrap();
    assert_eq!(code(&node.attach().await.err().unwrap()), "A401");
    let researcher = Party::enrol(&net.token("researcher", "alice"), key())
        .await
        .unwrap();
    let listed = researcher
        .research()
        .await
        .list(ListRequest { limit: 1 })
        .await;
    assert_eq!(code(&listed.unwrap_err()), "A401");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_binds_certificate_and_identity_key() {
    let net = Net::start();
    let mut node = net.party("node", "north").await;
    let other = node
        .attach_with(|hello| hello.certificate_sha256 = [1; 32])
        .await;
    assert_eq!(code(&other.err().unwrap()), "A411");
    let newer = node
        .attach_with(|h| (h.protocol_min, h.protocol_max) = (7, 9))
        .await;
    assert_eq!(code(&newer.err().unwrap()), "A409");
    node.key = SigningKey::generate().unwrap();
    assert_eq!(code(&node.attach().await.err().unwrap()), "A401");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_ends_live_sessions_and_keeps_the_door_shut() {
    let net = Net::start();
    let node = net.party("node", "north").await;
    let mut stream = node.attach().await.unwrap();
    net.operate(&["revoke", "--role", "node", "--name", "north"]);
    assert_eq!(code(&stream.hear().await.unwrap_err()), "A411");
    assert_eq!(code(&node.attach().await.err().unwrap()), "A411");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roster_revocation_ends_live_sessions_too() {
    let net = Net::start();
    let north = net.party("node", "north").await;
    let mut stream = north.attach().await.unwrap();
    let south = net.party("node", "south").await;
    let mut other = south.attach().await.unwrap();
    net.propose(&["revoke", "--role", "node", "--name", "north"]);
    net.publish_signed();
    let told = loop {
        match stream.hear().await {
            Ok(Some(Frame::Roster(_))) => {}
            told => break told,
        }
    };
    assert_eq!(code(&told.unwrap_err()), "A410");
    match other.hear().await.unwrap() {
        Some(Frame::Roster(update)) => assert_eq!(update.entries.len(), 5),
        other => panic!("no roster but {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_by_the_key_that_enrolled() {
    let net = Net::start();
    let mut node = net.party("node", "north").await;
    let thief = SigningKey::generate().unwrap();
    assert_eq!(code(&node.renew(&thief).await.unwrap_err()), "A401");
    let renewed = node.renew(&node.key).await.unwrap();
    assert_ne!(renewed.certificate_pem, node.certificate);
    node.attach().await.unwrap();
    node.role = Role::Researcher;
    assert_eq!(code(&node.renew(&node.key).await.unwrap_err()), "A401");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_refused() {
    let mut net = Net::start();
    let file = net.path("coordinator.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("node = \"7 d\"", "node = \"1 s\"")).unwrap();
    net.kill();
    net.up();
    let node = net.party("node", "north").await;
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let identity = Some((node.certificate.as_str(), node.tls_key.as_str()));
    let config = tls::client_config(&node.ca, &[], identity).unwrap();
    if let Ok(channel) = connect(&net.url, config).await {
        let mut client = ResearchClient::new(channel);
        assert!(client.status(QuestionRef::default()).await.is_err());
    }
    assert!(net.logged("handshake refused").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roster_without_its_signatures_or_going_back_is_not_published() {
    let net = Net::start();
    let key = SigningKey::generate().unwrap();
    let add = [
        "add",
        "--role",
        "node",
        "--name",
        "north",
        "--key",
        key.key_id().as_str(),
    ];
    net.propose(&add);
    let unsigned = net.refused(&["roster", "publish", &net.text("proposal.jsonl")]);
    assert!(unsigned.contains("not signed"), "{unsigned}");
    let entries = net.sign();
    let mut stranger = entries.clone();
    let mallory = SigningKey::generate().unwrap();
    stranger[0].signatures = vec![mallory.sign("roster", &stranger[0].payload)];
    std::fs::write(net.path("stranger.jsonl"), write_log(&stranger)).unwrap();
    let foreign = net.refused(&["roster", "publish", &net.text("stranger.jsonl")]);
    assert!(foreign.contains("not a custodian"), "{foreign}");
    net.propose(&[
        "add",
        "--role",
        "node",
        "--name",
        "south",
        "--key",
        mallory.key_id().as_str(),
    ]);
    net.publish_signed();
    std::fs::write(net.path("late.jsonl"), write_log(&entries)).unwrap();
    let fork = net.refused(&["roster", "publish", &net.text("late.jsonl")]);
    assert!(fork.contains("forked"), "{fork}");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_strangers_do_not_keep_members_out() {
    let net = Net::start();
    let node = net.party("node", "north").await;
    let mut strangers = Vec::new();
    for _ in 0..80 {
        let nobody = tls::client_config(&node.ca, &[], None).unwrap();
        strangers.push(connect(&net.url, nobody).await);
    }
    node.attach().await.unwrap();
    assert!(net.logged("no slot left").await);
}

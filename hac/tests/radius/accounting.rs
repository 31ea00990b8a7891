//! Servers that are told of sessions: who is told, by what it is believed that they have recorded it, and silence.

use std::net::{IpAddr, Ipv4Addr};
use std::time::SystemTime;

use hac::aaa::{Account, AccountStatus, AccountingClient};
use protocol::tunnel::Volume;

use super::server::{ACCEPT, ACCOUNTING_RESPONSE, PROXY_STATE, STATUS_SERVER};
use super::*;

fn client(servers: &[&Server], timings: Timings) -> Arc<AccountingClient> {
    let servers = servers.iter().map(|server| server.config()).collect();
    AccountingClient::new(ClientConfig { servers, nas_identifier: "hac.example.org".to_owned(), timings }).unwrap()
}

fn account(session_id: &str) -> Account<'_> {
    Account {
        status: AccountStatus::Start,
        session_id,
        user_name: "alice@example.org",
        class: &[],
        framed_ip4: Some(Ipv4Addr::new(10, 9, 0, 2)),
        framed_ip6: None,
        home_agent: "ha1.example.org",
        care_of: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        at: SystemTime::UNIX_EPOCH,
        time: Duration::ZERO,
        input: Volume::default(),
        output: Volume::default(),
    }
}

fn counted(client: &AccountingClient, name: &str) -> u64 {
    client.status()[0].counts[name]
}

#[tokio::test]
async fn a_record_is_acknowledged_by_an_accounting_response_as_servers_send_it() {
    let server = Server::start().await;
    let client = client(&[&server], TIMINGS);
    let serve = async {
        let request = server.accounting_request().await;
        assert_eq!(request.value(44), b"session");
        let wrong = server.unsigned(&request, ACCEPT, &[]);
        server.send(&wrong, &request).await;
        let forged = server::reply_under(b"another secret", &request, ACCOUNTING_RESPONSE, &[]);
        server.send(&forged, &request).await;
        let right = server.unsigned(&request, ACCOUNTING_RESPONSE, &[(PROXY_STATE, b"1")]);
        server.send(&right, &request).await;
    };
    let session = account("session");
    let (told, ()) = tokio::join!(client.tell(&session), serve);
    told.unwrap();
    let counts = ["records", "accepts", "dropped-code", "dropped-message-authenticator"].map(|name| counted(&client, name));
    assert_eq!(counts, [1, 0, 1, 1]);
}

#[tokio::test]
async fn a_record_sent_again_is_the_same_in_every_octet_and_the_next_server_is_told_the_same() {
    let (silent, serving) = (Server::start().await, Server::start().await);
    let client = client(&[&silent, &serving], IMPATIENT);
    let serve = async {
        let first = silent.accounting_request().await;
        assert_eq!(silent.accounting_request().await, first);
        let request = serving.accounting_request().await;
        assert_eq!(request.octets[20..], first.octets[20..]);
        serving.send(&serving.unsigned(&request, ACCOUNTING_RESPONSE, &[]), &request).await;
    };
    let session = account("session");
    let (told, ()) = tokio::join!(client.tell(&session), serve);
    told.unwrap();
    assert_eq!(counted(&client, "retransmissions"), 1);
    assert!(client.is_any_alive());
}

#[tokio::test]
async fn an_accounting_response_to_status_server_makes_a_dead_server_alive() {
    let server = Server::start().await;
    let client = client(&[&server], IMPATIENT);
    assert!(client.tell(&account("session")).await.is_err());
    assert!(!client.is_any_alive());
    // The two transmissions of the record come first.
    server.accounting_request().await;
    server.accounting_request().await;
    let probe = server.request().await;
    assert_eq!(probe.code(), STATUS_SERVER);
    server.send(&server.unsigned(&probe, ACCOUNTING_RESPONSE, &[]), &probe).await;
    while !client.is_any_alive() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(counted(&client, "records"), 1);
}

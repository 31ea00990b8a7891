//! A server that is not the right one hears nothing, and an error says what to do.

use super::*;

/// The error of a run, of which the server must not hear.
async fn refused(trust: Trust<'_>) -> String {
    let server = Server::start(trust).await;
    let client = of(&server, IMPATIENT);
    let mut run = begin(&client);
    let hears = async {
        loop {
            if let Ok(mut connection) = server.try_accept().await
                && connection.next().await.is_some()
            {
                return;
            }
        }
    };
    let error = tokio::select! {
        answer = run.ask(NAME, IDENTITY) => answer.unwrap_err(),
        () = hears => panic!("the server has heard a request"),
    };
    assert!(matches!(error, AaaError::Unreachable { .. }), "{error}");
    assert!(!client.status()[0].is_alive);
    error.to_string()
}

#[tokio::test]
async fn a_server_of_another_ca_is_not_believed() {
    let (authority, other) = (Authority::new(), Authority::new());
    let error = refused(Trust { server: other.certify(server::HOST), ..Trust::by(&authority) }).await;
    assert!(error.contains("name the file with the CA that signed it"), "{error}");
}

#[tokio::test]
async fn a_server_with_another_name_is_not_believed() {
    let authority = Authority::new();
    let error = refused(Trust { server: authority.certify("127.0.0.2"), ..Trust::by(&authority) }).await;
    assert!(error.contains("is for 127.0.0.2 and not for 127.0.0.1: correct the name in [radius]"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_believe_this_hac_is_told_from_one_that_is_silent() {
    let (authority, other) = (Authority::new(), Authority::new());
    for versions in [TLS_12, TLS_13] {
        let trust = Trust { client: other.certify("hac.example.org"), versions, ..Trust::by(&authority) };
        let error = refused(trust).await;
        assert!(
            error.contains("does not take the certificate of this HAC") || error.contains("take its certificate?"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_server_under_a_dns_name_is_looked_up_and_must_have_that_name() {
    let authority = Authority::new();
    let server = Server::start(Trust { server: authority.certify("localhost"), ..Trust::by(&authority) }).await;
    let client = configured(server.config_as("localhost"), TIMINGS);
    let mut run = begin(&client);
    let (answer, _) = tokio::join!(run.ask(NAME, IDENTITY), async { rejects(&mut server.accept().await).await });
    assert_eq!(answer.unwrap(), reject());
    let client = configured(server.config_as("no-such-host.invalid"), IMPATIENT);
    let error = begin(&client).ask(NAME, IDENTITY).await.unwrap_err().to_string();
    assert!(error.contains("the name servers of this host"), "{error}");
}

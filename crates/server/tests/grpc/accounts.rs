//! Accounts and sessions.

use api::grpc::v1;
use tonic::Code;

use crate::site::{PASSWORD, Site, fields, index, open, refused, said, signed};
use crate::site::{config, with};
use server::GrpcConfig;

#[tokio::test]
async fn a_member_registers_logs_in_and_leaves() {
    let site = Site::start().await;
    let mut accounts = site.accounts();
    let ask = v1::RegisterRequest {
        name: "Ana".to_owned(),
        password: PASSWORD.to_owned(),
    };
    let made = accounts.register(ask).await.unwrap();
    assert!(index(made.metadata()) > 0);
    assert_eq!(said(made.metadata(), "consorcio-node"), "n1");
    said(made.metadata(), "consorcio-term");
    let account = made.into_inner().account.unwrap();
    assert_eq!(
        (account.name.as_str(), account.administrator),
        ("Ana", false)
    );

    let token = site.log_in("ana", PASSWORD).await;
    let session = accounts.get_session(signed(&token, v1::GetSessionRequest {}));
    let session = session.await.unwrap().into_inner();
    assert_eq!(
        (session.account, session.name.as_str()),
        (account.id, "Ana")
    );
    assert!(session.expires_at.unwrap().seconds > 1_700_000_000);

    let leave = v1::LogOutRequest { everywhere: false };
    accounts.log_out(signed(&token, leave)).await.unwrap();
    let gone = accounts.get_session(signed(&token, v1::GetSessionRequest {}));
    refused(
        &gone.await.unwrap_err(),
        Code::Unauthenticated,
        "not-signed-in",
    );
    site.stop().await;
}

#[tokio::test]
async fn a_password_is_changed_and_guesses_are_counted() {
    let site = Site::start().await;
    let (mut accounts, token) = (site.accounts(), site.member("ana").await);
    let other = site.log_in("ana", PASSWORD).await;
    let change = |current: &str| v1::ChangePasswordRequest {
        current_password: current.to_owned(),
        new_password: "otra frase larga".to_owned(),
    };
    let wrong = accounts.change_password(signed(&token, change("not this one")));
    let wrong = wrong.await.unwrap_err();
    refused(&wrong, Code::InvalidArgument, "invalid");
    assert_eq!(fields(&wrong), ["current_password"]);
    accounts
        .change_password(signed(&token, change(PASSWORD)))
        .await
        .unwrap();
    let ended = accounts.get_session(signed(&other, v1::GetSessionRequest {}));
    refused(
        &ended.await.unwrap_err(),
        Code::Unauthenticated,
        "not-signed-in",
    );
    let old = v1::LogInRequest {
        name: "ana".to_owned(),
        password: PASSWORD.to_owned(),
    };
    let old = accounts.log_in(old).await.unwrap_err();
    refused(&old, Code::Unauthenticated, "wrong-credentials");
    site.stop().await;
}

#[tokio::test]
async fn administrators_list_and_appoint() {
    let site = Site::start().await;
    let (mut accounts, ana) = (site.accounts(), site.member("ana").await);
    let admin = site.admin().await;
    let page = |after: &str, limit| v1::ListAccountsRequest {
        after: after.to_owned(),
        limit,
    };
    let refusal = accounts.list_accounts(signed(&ana, page("", 0)));
    refused(
        &refusal.await.unwrap_err(),
        Code::PermissionDenied,
        "forbidden",
    );
    let appoint = v1::SetAdministratorRequest {
        name: "ana".to_owned(),
        administrator: true,
    };
    accounts
        .set_administrator(signed(&admin, appoint))
        .await
        .unwrap();
    let first = accounts.list_accounts(signed(&ana, page("", 1)));
    let first = first.await.unwrap().into_inner();
    assert_eq!(first.accounts[0].name, "admin");
    assert!(first.accounts[0].created_at.is_some());
    let second = accounts.list_accounts(signed(&ana, page(&first.next, 0)));
    let second = second.await.unwrap().into_inner();
    assert_eq!(
        (second.accounts[0].name.as_str(), second.next.as_str()),
        ("ana", "")
    );
    assert!(second.accounts[0].administrator);
    let long = accounts.list_accounts(signed(&ana, page("", 1_001)));
    let long = long.await.unwrap_err();
    refused(&long, Code::InvalidArgument, "invalid");
    assert_eq!(fields(&long), ["limit"]);
    site.stop().await;
}

#[tokio::test]
async fn where_a_session_is_required_there_is_no_way_around() {
    let strict = GrpcConfig {
        require_session: true,
        ..open()
    };
    let site = Site::with(config(), strict).await;
    let mut cluster = site.cluster();
    let nobody = cluster.get_cluster(v1::GetClusterRequest {}).await;
    refused(&nobody.unwrap_err(), Code::Unauthenticated, "not-signed-in");
    let forged = format!("{}.1", "A".repeat(43));
    let forged = cluster.get_version(signed(&forged, v1::GetVersionRequest {}));
    refused(
        &forged.await.unwrap_err(),
        Code::Unauthenticated,
        "not-signed-in",
    );
    let nobody = site.polls().get_poll(v1::GetPollRequest::default()).await;
    refused(&nobody.unwrap_err(), Code::Unauthenticated, "not-signed-in");
    // Those that make a session are open, and with one all is.
    let token = site.member("ana").await;
    let seen = cluster.get_cluster(signed(&token, v1::GetClusterRequest {}));
    assert_eq!(seen.await.unwrap().into_inner().node, "n1");
    site.stop().await;
}

#[tokio::test]
async fn what_is_no_token_is_an_error_and_not_nobody() {
    let site = Site::start().await;
    let ask = || tonic::Request::new(v1::GetClusterRequest {});
    let mut cluster = site.cluster();
    for text in ["Bearer x", "Basic YWRtaW46eA==", "Bearer"] {
        let asked = cluster.get_cluster(with("authorization", text, ask()));
        refused(
            &asked.await.unwrap_err(),
            Code::Unauthenticated,
            "not-signed-in",
        );
    }
    site.stop().await;
}

//! The three doors over a real message center and the real embedded store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::client::{Client, ClientError, encoded, path_with};
use api::{Api, bind_admin, bind_console, bind_loopback};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use center::accounts::{
    AccountParts, Accounts, NewPerson, NewToken, ProviderRules, SessionTimes, Tokens,
};
use center::metrics::{Metrics, MetricsFromEvents};
use center::{
    Activation, Center, ChangeResult, Explanation, ExportParts, Parts, PolicyActivator, Readiness,
    ReadyCheck, SenderRow, SessionCounters, SessionCounts, Status,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use store::disk::RealDisk;
use store::search::EventSearch;
use store::state::{SqliteAccounts, SqliteAudit, SqliteRequests, SqliteState};
use store::{EventLog, Store, StoreOptions};
use tempfile::TempDir;
use tower::ServiceExt;
use types::event::{Record, SCHEMA};
use types::policy::{BasePolicies, GreylistTimes, RecipientValidation};
use types::{
    Caller, CheckName, ClientFacts, Decision, Event, EventId, EventKind, HeaderMailbox, LifeLineId,
    ListQuestion, ListSubject, MessageFacts, NodeName, Outcome, Permissions, Reason,
    ReplyParameters, ReversePath, Role, SessionId, Stage, Subject, Timestamp,
};
use world::simulated::SimulatedClock;
use world::{FolderSpace, SystemChance};

struct Outside;

impl PolicyActivator for Outside {
    fn base(&self) -> BasePolicies {
        BasePolicies {
            size_max_octets: 1_000_000,
            greylist: GreylistTimes::default(),
            reputation: Default::default(),
            permitted_lists: Vec::new(),
            lists: vec![
                ListQuestion { list: "bl.corp.example".parse().unwrap(), of: ListSubject::Ip },
                ListQuestion {
                    list: "names.corp.example".parse().unwrap(),
                    of: ListSubject::SenderDomain,
                },
            ],
            limits_recipient_rate: false,
            domains: vec![("corp.example".parse().unwrap(), RecipientValidation::AcceptAll)],
        }
    }

    /// One policy, for mail of which only the tests of exceptions know.
    fn in_force(&self) -> std::sync::Arc<policy::PolicySet> {
        let policy = serde_json::json!({
            "id": 1,
            "narrative": "Over TLS alone",
            "option": { "type": "secure_receipt", "set": "require_tls" },
            "from": { "domain": "over-tls.example" },
            "override": true,
        });
        let policy = serde_json::from_value(policy).unwrap();
        let stored = policy::StoredPolicy { policy, version: 1, created: Timestamp::EPOCH };
        let objects = policy::PolicyObjects { policies: vec![stored], ..Default::default() };
        policy::PolicySet::compile(0, objects, &self.base()).unwrap().into()
    }

    fn activate(&self, _version: u64, _change: Activation) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}

impl SessionCounters for Outside {
    fn counts(&self) -> SessionCounts {
        SessionCounts { sessions_opened: 1_204, sessions_finished: 1_203, ..Default::default() }
    }
}

impl Readiness for Outside {
    fn checks(&self) -> Vec<ReadyCheck> {
        let check = |name: &str, ok| {
            let (name, text) = (name.to_owned(), String::new());
            ReadyCheck { name, ok, needed: true, text }
        };
        vec![check("store", true), check("disk", false)]
    }
}

pub(crate) struct Gateway {
    pub(crate) api: Api,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) center: Arc<Center>,
    pub(crate) clock: SimulatedClock,
    pub(crate) log: Arc<Store>,
    pub(crate) folder: TempDir,
    /// A token that may everything.
    pub(crate) token: String,
}

/// The owner of a gateway that has one.
pub(crate) const OWNER: &str = "owner";
pub(crate) const OWNER_PASSWORD: &str = "four quiet words here";

pub(crate) fn now() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

/// A gateway with an owner.
pub(crate) fn gateway() -> Gateway {
    with_owner(empty_gateway())
}

/// The same gateway with an owner.
pub(crate) fn with_owner(mut gateway: Gateway) -> Gateway {
    let accounts = &gateway.accounts;
    let machine = Caller::with_all("test");
    let person = NewPerson {
        name: OWNER.into(),
        role: Role::Owner.into(),
        domains: Vec::new(),
        groups: Vec::new(),
    };
    accounts.add_account(&machine, &person).unwrap();
    accounts.set_password(&machine, OWNER, OWNER_PASSWORD, Tokens::Keep).unwrap();
    let token = NewToken {
        name: "test".into(),
        account: Some(OWNER.into()),
        permissions: Permissions::all(),
        networks: vec![],
        expires: None,
    };
    gateway.token = accounts.add_token(&machine, &token).unwrap().secret;
    gateway
}

/// The same gateway with accounts that believe a sign-in service.
pub(crate) fn believing(gateway: Gateway, rules: ProviderRules) -> Gateway {
    let (clock, folder) = (gateway.clock.clone(), gateway.folder.path());
    let accounts = Arc::new(accounts(clock, folder).with_provider(rules));
    let api = Api::new(Arc::clone(&gateway.center), Arc::clone(&accounts), Metrics::new());
    Gateway { api, accounts, ..gateway }
}

fn accounts(clock: SimulatedClock, folder: &Path) -> Accounts {
    Accounts::new(AccountParts {
        state: Arc::new(SqliteAccounts::open(&folder.join("state.db")).unwrap()),
        audit: Arc::new(SqliteAudit::open(&folder.join("state.db")).unwrap()),
        clock: Arc::new(clock),
        chance: Arc::new(SystemChance),
        times: SessionTimes::default(),
    })
}

/// A gateway as it is at first start.
pub(crate) fn empty_gateway() -> Gateway {
    gateway_over(|log| log)
}

/// The same whose searches go through what `search` makes of its store.
pub(crate) fn gateway_over(search: impl FnOnce(Arc<Store>) -> Arc<dyn EventSearch>) -> Gateway {
    let clock = SimulatedClock::new(now());
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions::simulated(folder.path());
    let (store, _) = Store::open(Arc::new(RealDisk), options, now()).unwrap();
    let log = Arc::new(store);
    let events = Arc::new(MetricsFromEvents::new());
    let center = Center::new(Parts {
        log: log.clone(),
        search: search(log.clone()),
        queue: log.clone(),
        triplets: log.clone(),
        correspondences: log.clone(),
        policies: Arc::new(SqliteState::open(&folder.path().join("state.db")).unwrap()),
        audit: Arc::new(SqliteAudit::open(&folder.path().join("state.db")).unwrap()),
        activator: Arc::new(Outside),
        sessions: Arc::new(Outside),
        events: events.clone(),
        readiness: Arc::new(Outside),
        clock: Arc::new(clock.clone()),
        chance: Arc::new(SystemChance),
        node: NodeName("mx1".into()),
        daily_log_folder: folder.path().join("daily"),
        metadata_kept: Duration::from_secs(7 * 86_400),
        program_version: "0.1.0",
    });
    let center = center.with_exports(ExportParts {
        folder: folder.path().join("exports"),
        space: Arc::new(FolderSpace::new(folder.path())),
        reserve_octets: 0,
        folder_octets_max: u64::MAX,
    });
    let requests = SqliteRequests::open(&folder.path().join("state.db")).unwrap();
    let center = Arc::new(center.with_requests(Arc::new(requests)));
    let metrics = Metrics::new().with(center.clone()).with(events);
    let accounts = Arc::new(accounts(clock.clone(), folder.path()));
    let api = Api::new(Arc::clone(&center), Arc::clone(&accounts), metrics);
    Gateway { api, accounts, center, clock, log, folder, token: String::new() }
}

pub(crate) const HOSTILE: &str =
    "<script>alert(1)</script>\"'><img src=x onerror=y>\u{202e}\u{1b}[2J";

pub(crate) fn refusal(number: u8) -> Event {
    let id = EventId::new(now(), [number; 10]);
    let decision = Decision::new(Reason::RecipientUnknown, CheckName::Recipient);
    let client = types::Client {
        ip: "192.0.2.7".parse().unwrap(),
        port: 4_000,
        listener: "127.0.0.1:25".into(),
        direction: types::Direction::Inbound,
    };
    let mailbox = HeaderMailbox { name: Some(HOSTILE.to_owned()), address: HOSTILE.to_owned() };
    Event {
        schema: SCHEMA,
        id,
        at: now(),
        started: now(),
        node: NodeName("mx1".into()),
        session: SessionId::new(now(), [number; 10]),
        life_line: LifeLineId::new(now(), [number; 10]),
        subject: Subject {
            client: Arc::new(ClientFacts {
                client,
                host_name: None,
                helo: Some(HOSTILE.into()),
                esmtp: true,
                tls: None,
            }),
            reverse_path: Some(Arc::new(ReversePath::Null)),
            recipient: Some(types::ForwardPath::Address("bob@corp.example".parse().unwrap())),
            declared_size: None,
            message: Some(Arc::new(MessageFacts {
                header_from: vec![mailbox],
                subject: Some(HOSTILE.to_owned()),
                ..MessageFacts::default()
            })),
        },
        record: Record {
            stage: Some(Stage::Rcpt),
            reply: decision.reply(ReplyParameters::default()),
            ..Record::default()
        },
        kind: EventKind::Attempt(Outcome::Rejected(decision)),
    }
}

/// A request of a program on this machine.
pub(crate) fn local() -> axum::http::request::Builder {
    Request::builder().extension(from("127.0.0.1"))
}

/// A connection in clear text from there.
pub(crate) fn from(peer: &str) -> api::Connection {
    api::Connection { peer: peer.parse().unwrap(), tls: false }
}

pub(crate) async fn ask(gateway: &Gateway, method: Method, path: &str, host: &str) -> Response {
    let request = local().method(method).uri(path).header("host", host);
    let request = request.header("authorization", format!("Bearer {}", gateway.token));
    gateway.api.console_router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

/// Asks with one more field in the header.
pub(crate) async fn ask_with(gateway: &Gateway, path: &str, field: (&str, &str)) -> Response {
    let request = local().uri(path).header("host", "localhost").header(field.0, field.1);
    let request = request.header("authorization", format!("Bearer {}", gateway.token));
    gateway.api.console_router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

/// Sends JSON; gives the answer's, or null.
pub(crate) async fn send(
    gateway: &Gateway,
    method: Method,
    path: &str,
    body: &Value,
) -> (StatusCode, Value) {
    let request = local().method(method).uri(path).header("host", "localhost");
    let request = request.header("authorization", format!("Bearer {}", gateway.token));
    let request = request.body(Body::from(body.to_string())).unwrap();
    let response = gateway.api.console_router().oneshot(request).await.unwrap();
    let status = response.status();
    let octets = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&octets).unwrap_or_default())
}

impl Gateway {
    /// A token that may everything.
    pub(crate) fn token(&self) -> String {
        self.token.clone()
    }
}

pub(crate) async fn get(gateway: &Gateway, path: &str) -> (StatusCode, String) {
    let response = ask(gateway, Method::GET, path, "localhost:8080").await;
    let status = response.status();
    let octets = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(octets.to_vec()).unwrap())
}

pub(crate) async fn get_json(gateway: &Gateway, path: &str) -> (StatusCode, Value) {
    let (status, text) = get(gateway, path).await;
    (status, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}: {text}")))
}

#[tokio::test]
async fn pages_escape_everything_and_allow_no_script() {
    let gateway = gateway();
    let event = refusal(1);
    gateway.log.record(vec![event.clone()]).unwrap();
    let query = encoded(HOSTILE);
    for path in [
        "/".to_owned(),
        "/messages?view=all".to_owned(),
        format!("/messages/{}", event.id),
        format!("/messages/{}", event.reference()),
        format!("/?q={query}"),
        format!("/?q=%22{query}"),
        format!("/?q=x%3A{query}"),
        format!("/messages/{query}"),
        format!("/?after={query}&view={query}"),
    ] {
        let response = ask(&gateway, Method::GET, &path, "127.0.0.1").await;
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
            "{path}"
        );
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let octets = response.into_body().collect().await.unwrap().to_bytes();
        let page = String::from_utf8(octets.to_vec()).unwrap();
        assert!(
            page.matches("<script").count()
                == page.matches("<script type=\"module\" src=\"/assets/").count()
                && !page.contains("<img")
                && !page.contains(" style="),
            "{path}\n{page}"
        );
        assert!(!page.contains(['\u{1b}']), "{path}");
    }
    let (_, page) =
        get(&gateway, "/messages?view=rejected&cols=time,type,hfrom,subject,helo").await;
    assert!(
        page.contains("Invalid Recipient Address") && page.contains("&#60;script&#62;"),
        "{page}"
    );
    assert!(page.contains("\u{2039}202E\u{203a}") && !page.contains('\u{202e}'));
}

#[tokio::test]
async fn a_detail_page_tells_the_whole_story() {
    let gateway = gateway();
    let event = refusal(1);
    gateway.log.record(vec![event.clone()]).unwrap();
    let (status, page) = get(&gateway, &format!("/messages/{}", event.reference())).await;
    assert_eq!(status, StatusCode::OK);
    for part in
        [Reason::RecipientUnknown.remedy(), "550 5.1.1", "Life-line", "Recipient validation"]
    {
        let escaped = part.replace('\'', "&#39;");
        assert!(page.contains(&escaped), "{part}\n{page}");
    }
    let (status, _) = get(&gateway, "/messages/ZZZZZZZZZZZZ").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_wrong_query_is_shown_at_its_place() {
    let gateway = gateway();
    let (status, page) = get(&gateway, "/messages?q=invoice%20sujbect%3Ax").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        page.contains("<bdi>invoice </bdi><mark><bdi>sujbect:</bdi></mark><bdi>x</bdi>"),
        "{page}"
    );
    assert!(
        page.contains("did you mean </bdi><code><bdi>subject:</bdi></code><bdi>?</bdi>"),
        "{page}"
    );
    let (status, problem) = get_json(&gateway, "/api/v1/attempts?q=invoice%20sujbect%3Ax").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(problem["type"], "query");
    assert_eq!(problem["position"], json!({"start": 8, "end": 16}));
    assert_eq!(problem["proposal"], "subject:");
}

#[tokio::test]
async fn the_console_door_answers_loopback_names_only_and_says_what_cannot_be_done() {
    let gateway = gateway();
    for host in ["evil.example", "192.0.2.1:8080", "localhost.evil.example"] {
        let response = ask(&gateway, Method::GET, "/api/v1/status", host).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{host}");
    }
    for (method, path) in [(Method::DELETE, "/api/v1/policies"), (Method::POST, "/")] {
        let response = ask(&gateway, method, path, "localhost").await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let kind =
            if path == "/" { "text/html; charset=utf-8" } else { "application/problem+json" };
        assert_eq!(response.headers()["content-type"], kind, "{path}");
    }
    let (status, page) = get(&gateway, "/nothing").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(page.contains("There is nothing at this address.") && page.contains("</html>"));
    let (status, problem) = get_json(&gateway, "/api/v1/nothing").await;
    assert_eq!((status, &problem["type"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    let (status, problem) = get_json(&gateway, "/api/v1/attempts?limit=many").await;
    assert_eq!((status, &problem["type"]), (StatusCode::BAD_REQUEST, &json!("malformed")));
}

#[tokio::test]
async fn every_reading_route_answers() {
    let gateway = gateway();
    let event = refusal(1);
    gateway.log.record(vec![event.clone()]).unwrap();
    let reference = event.reference();
    for path in [
        "/attempts?view=rejected".to_owned(),
        format!("/attempts/{reference}"),
        format!("/attempts/{reference}/event"),
        format!("/lifelines/{}", event.life_line),
        "/search-fields".to_owned(),
        "/policies".to_owned(),
        "/policies/versions".to_owned(),
        "/groups".to_owned(),
        "/senders".to_owned(),
        "/queue".to_owned(),
        "/queue/shape".to_owned(),
        "/greylist?text=x".to_owned(),
        "/daily-logs".to_owned(),
        "/status".to_owned(),
        "/conservation".to_owned(),
    ] {
        let (status, answer) = get_json(&gateway, &format!("/api/v1{path}")).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    }
    for path in ["/policies/export", "/senders/export"] {
        assert_eq!(get(&gateway, &format!("/api/v1{path}")).await.0, StatusCode::OK, "{path}");
    }
    let (_, page) = get_json(&gateway, "/api/v1/attempts").await;
    assert_eq!(page["rows"][0]["ref"], json!(reference.to_string()));
}

#[tokio::test]
async fn health_and_numbers_are_served() {
    let gateway = gateway();
    let ask = async |path: &str| {
        let request =
            Request::builder().uri(path).header("host", "localhost").body(Body::empty()).unwrap();
        let response = gateway.api.metrics_router().oneshot(request).await.unwrap();
        let status = response.status();
        let octets = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(octets.to_vec()).unwrap())
    };
    assert_eq!(ask("/healthz").await, (StatusCode::OK, "alive\n".to_owned()));
    let (status, text) = ask("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "the disk is full");
    assert!(text.contains("\"disk\""));
    let (status, text) = ask("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("portcullis_smtp_sessions_open 1\n"), "{text}");
    assert!(text.contains("portcullis_ready{check=\"disk\"} 0\n"));
}

#[tokio::test]
async fn the_admin_socket_serves_the_client() {
    let gateway = gateway();
    let path = gateway.folder.path().join("admin.sock");
    let client = Client::new(&path);
    let absent = client.get::<Status>("/api/v1/status").await;
    assert!(matches!(absent, Err(ClientError::NotRunning(_))), "{absent:?}");
    let listener = bind_admin(&path).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let api = gateway.api.clone();
    let server = tokio::spawn(async move {
        api.serve_admin(listener, async { stopped.await.unwrap_or(()) }).await
    });
    gateway.log.record(vec![refusal(1)]).unwrap();
    let url = path_with("/api/v1/attempts", &[("q", Some("is:rejected to:bob@corp.example"))]);
    let page: center::SearchPage = client.get(&url).await.unwrap();
    let name = page.rows[0].reference;
    let why: Explanation = client.get(&format!("/api/v1/attempts/{name}")).await.unwrap();
    assert!(why.to_string().contains("bob@corp.example"));
    let body = json!({"sender": {"sender": "x.example", "recipient": "bob@corp.example", "action": "block"}});
    let made: ChangeResult = client.post("/api/v1/senders", &body).await.unwrap();
    assert_eq!(made.version, 1);
    let rows: Vec<SenderRow> = client.get("/api/v1/senders").await.unwrap();
    assert!(
        ["root".to_owned()].contains(&rows[0].sender.created_by)
            || rows[0].sender.created_by.starts_with("uid ")
    );
    let csv = client.get_text("/api/v1/senders/export").await.unwrap();
    assert!(csv.contains("x.example,bob@corp.example,block"));
    let policy = json!({"policy": {"narrative": "No y", "option": {"type": "blocked_senders", "set": "block"}, "from": {"domain": "y.example"}}, "expected_version": 1});
    let made: ChangeResult = client.post("/api/v1/policies", &policy).await.unwrap();
    assert_eq!(made.version, 2);
    let stale = client.post::<ChangeResult>("/api/v1/policies", &policy).await;
    let Err(ClientError::Refused(problem)) = stale else { panic!("{stale:?}") };
    assert_eq!((problem.status, problem.found_version), (409, Some(2)));
    let document = client.get_text("/api/v1/policies/export").await.unwrap();
    let problems: Vec<center::Problem> =
        client.post_text("/api/v1/policies/check", document).await.unwrap();
    assert!(problems.is_empty());
    let wrong = client
        .post::<Value>("/api/v1/queue/actions", &json!({"action": "explode", "ids": []}))
        .await;
    assert!(matches!(wrong, Err(ClientError::Refused(_))), "{wrong:?}");
    for note in ["", "  "] {
        let order = json!({"action": "delete", "ids": [], "note": note});
        let refused = client.post::<Value>("/api/v1/queue/actions", &order).await;
        let Err(ClientError::Refused(problem)) = refused else { panic!("{refused:?}") };
        assert_eq!((problem.status, problem.kind.as_str()), (422, "invalid"));
        assert!(problem.detail.contains("say in a note why"), "{problem:?}");
    }
    let order = json!({"action": "delete", "ids": [], "note": "junk"});
    client.post::<Value>("/api/v1/queue/actions", &order).await.unwrap();
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn nothing_listens_beyond_loopback_in_clear_text() {
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let refused = bind_console(everywhere, false).await;
    assert!(refused.unwrap_err().to_string().contains("[http.tls]"));
    let listener = bind_console("127.0.0.1:0".parse().unwrap(), false).await.unwrap();
    assert!(listener.local_addr().unwrap().ip().is_loopback());
    let refused = bind_loopback("0.0.0.0:0".parse().unwrap()).await;
    assert!(refused.unwrap_err().to_string().contains("loopback"));
    assert!(bind_loopback("127.0.0.1:0".parse().unwrap()).await.is_ok());
}

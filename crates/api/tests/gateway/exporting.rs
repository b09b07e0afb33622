//! Exports, streams and the document, over the console's door.

use std::ops::ControlFlow;
use std::time::Duration;

use api::client::{Client, ClientError, Node, StreamEvent, path_with};
use axum::http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use store::EventLog;
use types::{Event, EventId};

use super::doors::{ask, ask_with, gateway, get, get_json, now, refusal, send};

/// Refusals with these numbers.
fn refusals(numbers: std::ops::Range<u64>) -> Vec<Event> {
    let refusal = |number: u64| {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        Event { id: EventId::new(now(), random), ..refusal(1) }
    };
    numbers.map(refusal).collect()
}

#[tokio::test]
async fn a_list_becomes_a_file_by_way_of_a_job() {
    let gateway = gateway();
    gateway.log.record(refusals(0..25)).unwrap();
    let body =
        json!({"format": "csv", "search": {"query": "is:rejected", "columns": ["time", "to"]}});
    let (status, job) = send(&gateway, Method::POST, "/api/v1/exports", &body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{job}");
    let place = format!("/api/v1/exports/{}", job["id"].as_str().unwrap());
    // The progress ends when the job does.
    let response = ask(&gateway, Method::GET, &format!("{place}/progress"), "localhost").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let octets = response.into_body().collect().await.unwrap().to_bytes();
    let told = String::from_utf8(octets.to_vec()).unwrap();
    let last = told.trim_end().rsplit("data: ").next().unwrap();
    let job: Value = serde_json::from_str(last).unwrap();
    assert_eq!(
        (&job["state"], &job["rows"], &job["rows_total"]),
        (&json!("done"), &json!(25), &json!(25))
    );
    let response = ask(&gateway, Method::GET, &format!("{place}/file"), "localhost").await;
    let disposition = response.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(
        disposition.starts_with("attachment; filename=\"all-") && disposition.ends_with(".csv\"")
    );
    assert_eq!(
        response.headers()["etag"],
        format!("\"{}\"", job["file"]["sha256"].as_str().unwrap())
    );
    let octets = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(octets.len() as u64, job["file"]["size_octets"].as_u64().unwrap());
    assert_eq!(String::from_utf8(octets.to_vec()).unwrap().lines().count(), 26);
    let (_, jobs) = get_json(&gateway, "/api/v1/exports").await;
    assert_eq!(jobs.as_array().unwrap().len(), 1);
    let (status, _) = send(&gateway, Method::DELETE, &place, &json!(null)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, problem) = get_json(&gateway, &place).await;
    assert_eq!((status, &problem["type"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    for wrong in [
        json!({"format": "csv", "search": {"query": "sujbect:x"}}),
        json!({"format": "csv", "search": {"columns": ["nonsense"]}}),
        json!({"format": "pdf"}),
        json!({"format": "csv", "search": {"unknown": 1}}),
    ] {
        let (status, problem) = send(&gateway, Method::POST, "/api/v1/exports", &wrong).await;
        assert!(status.is_client_error(), "{wrong} {status}");
        for field in ["type", "title", "detail", "status"] {
            assert!(!problem[field].is_null(), "{wrong}: {problem}");
        }
    }
}

#[tokio::test]
async fn all_rows_are_streamed_and_pages_have_the_chosen_columns() {
    let gateway = gateway();
    // A group of events fits into a segment of the journal.
    for first in (0..1_500).step_by(100) {
        gateway.log.record(refusals(first..first + 100)).unwrap();
    }
    let (status, text) = get(&gateway, "/api/v1/attempts/rows?q=is:rejected&cols=ref,to").await;
    assert_eq!(status, StatusCode::OK);
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((rows.len(), &rows[0]["to"]), (1_500, &json!("bob@corp.example")));
    let (_, text) = get(&gateway, "/api/v1/attempts/rows?format=csv&cols=to").await;
    assert_eq!(text.lines().next(), Some("to"));
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/attempts?limit=400&cols=to&cursor={cursor}");
        let (status, page) = get_json(&gateway, &path).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        for row in page["rows"].as_array().unwrap() {
            let names: Vec<&String> = row.as_object().unwrap().keys().collect();
            assert_eq!(names, ["id", "life", "ref", "time", "to"]);
            seen.push(row["id"].clone());
        }
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    seen.sort_by_key(Value::to_string);
    seen.dedup();
    assert_eq!(seen.len(), 1_500);
    for path in
        ["count", "counts", "histogram?buckets=10", "facets", "hints", "completion?q=is:&caret=3"]
    {
        let (status, answer) = get_json(&gateway, &format!("/api/v1/attempts/{path}")).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    }
    let (status, problem) =
        get_json(&gateway, "/api/v1/attempts/count?q=invoice%20sujbect%3Ax").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(problem["position"], json!({"start": 8, "end": 16}));
}

#[tokio::test]
async fn every_documented_route_is_there() {
    let gateway = gateway();
    let (status, document) = get_json(&gateway, "/api/v1/openapi.json").await;
    assert_eq!(status, StatusCode::OK);
    let (status, page) = get(&gateway, "/api/docs").await;
    assert_eq!(status, StatusCode::OK);
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            assert!(page.contains(&format!("{} {path}", method.to_uppercase())), "{method} {path}");
            if path.ends_with("/stream") {
                continue;
            }
            let asked = path.replace("{number}", "1").replace("{name}", "x").replace("{id}", "x");
            let method: Method = method.to_uppercase().parse().unwrap();
            let response = ask(&gateway, method.clone(), &asked, "localhost").await;
            let status = response.status();
            let octets = response.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8_lossy(&octets);
            assert!(!text.contains("there is nothing at this address"), "{method} {path}");
            assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{method} {path}: {text}");
        }
    }
    assert!(!page.contains("<script"));
}

/// Reads a stream until it has the events wanted, or ends. Calls `opened` when
/// the server says that the stream is open: what comes after that is on it.
async fn read(
    client: &Client,
    last: Option<&str>,
    most: usize,
    mut opened: impl FnMut() + Send,
) -> (Vec<StreamEvent>, Option<String>) {
    let mut attempts = Vec::new();
    let mut position = last.map(str::to_owned);
    let path = "/api/v1/attempts/stream?q=is:rejected";
    let mut take = |event: StreamEvent| {
        if event.id.is_some() {
            position.clone_from(&event.id);
        }
        match event.kind.as_str() {
            "open" => opened(),
            "attempt" => attempts.push(event),
            _ => {}
        }
        if attempts.len() >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    client.events(path, last, &mut take).await.unwrap();
    (attempts, position)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_where_it_ended_without_loss_or_doubles() {
    let gateway = gateway();
    let listener = api::bind_loopback("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let api = gateway.api.clone();
    let server = tokio::spawn(async move {
        api.serve_console(listener, None, async { stopped.await.unwrap_or(()) }).await
    });
    let node = Node::new(&format!("http://{address}"), &gateway.token(), None).unwrap();
    let client = Client::remote(node);
    // A place to begin at, before anything comes.
    let mut take = |event: StreamEvent| {
        assert_eq!(event.kind, "open");
        ControlFlow::Break(())
    };
    client.events("/api/v1/attempts/stream", None, &mut take).await.unwrap();
    gateway.log.record(refusals(0..1)).unwrap();
    let write = || gateway.log.record(refusals(1..2)).map(drop).unwrap();
    let (_, mut position) = read(&client, None, 1, write).await;
    let log = gateway.log.clone();
    let writer = tokio::task::spawn_blocking(move || {
        for part in 0..60 {
            log.record(refusals(2 + part * 50..2 + (part + 1) * 50)).unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    // Under load, cut again and again in the middle.
    let mut seen = Vec::new();
    while seen.len() < 3_000 {
        let (events, at) =
            read(&client, position.as_deref(), 97.min(3_000 - seen.len()), || {}).await;
        position = at;
        for event in events {
            let row: Value = serde_json::from_str(&event.data).unwrap();
            seen.push(row["id"].as_str().unwrap().to_owned());
        }
    }
    writer.await.unwrap();
    let wanted: Vec<String> = refusals(2..3_002).iter().map(|event| event.id.to_string()).collect();
    assert_eq!(seen, wanted);
    // One who only holds the line hears why it ends, and the server can end.
    let (mut kinds, mut stop) = (Vec::new(), Some(stop));
    let mut take = |event: StreamEvent| {
        if event.kind == "open" {
            stop.take().unwrap().send(()).unwrap();
        }
        kinds.push(event.kind);
        ControlFlow::Continue(())
    };
    let ended = client.events("/api/v1/attempts/stream", None, &mut take).await;
    assert!(ended.is_ok() && kinds == ["open", "cut"], "{ended:?} {kinds:?}");
    tokio::time::timeout(Duration::from_secs(60), server).await.unwrap().unwrap().unwrap();
    let gone = client.get::<Value>("/api/v1/status").await;
    assert!(matches!(gone, Err(ClientError::Unreachable { .. })), "{gone:?}");
}

#[tokio::test]
async fn a_wrong_position_or_query_of_a_stream_is_an_answer() {
    let gateway = gateway();
    let path = path_with("/api/v1/attempts/stream", &[("q", Some("sujbect:x"))]);
    let (status, problem) = get_json(&gateway, &path).await;
    assert_eq!((status, &problem["type"]), (StatusCode::BAD_REQUEST, &json!("query")));
    let field = ("last-event-id", "nonsense");
    let response = ask_with(&gateway, "/api/v1/attempts/stream", field).await;
    assert!(response.status().is_client_error());
}

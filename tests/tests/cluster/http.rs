//! The HTTP port: what the command line does, and nothing of the server's files.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use copymill_campaign::{CampaignKeys, ChunkId, ChunkKind};
use copymill_store::Condition;
use copymill_tests::s3::S3Fault;
use copymill_tests::servers::wait_until;
use copymill_tests::{Cluster, Program};
use hyper::Method;
use serde_json::{Value, json};

use crate::campaign::{EMAIL, PATIENCE, lines_of_json, parquet, recipients};

/// A scheduler and where it serves.
struct Served {
    program: Program,
    url: String,
}

/// A status and a body.
type Answer = (u16, Value);

impl Served {
    fn start(cluster: &Cluster) -> Self {
        let http = [("COPYMILL_SCHEDULER__HTTP", "127.0.0.1:0")];
        let program = cluster.start("copymill-scheduler", "serving HTTP", &http);
        Self { url: program.http_url(), program }
    }

    fn get(&self, path: &str) -> Answer {
        answer(ureq::get(&format!("{}{path}", self.url)).call())
    }

    fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        answer(ureq::post(&format!("{}{path}", self.url)).send_bytes(body.as_ref()))
    }

    fn post_once(&self, key: &str, body: impl AsRef<[u8]>) -> Answer {
        let request = ureq::post(&format!("{}/v1/campaigns", self.url)).set("Idempotency-Key", key);
        answer(request.send_bytes(body.as_ref()))
    }

    /// Uploads rows; what a campaign calls them.
    fn upload(&self, rows: impl AsRef<[u8]>) -> String {
        let (status, body) = self.post("/v1/audiences", rows);
        assert_eq!(status, 201, "{body}");
        body["source"].as_str().unwrap().to_owned()
    }

    /// The campaign of the tests with rows that were uploaded.
    fn campaign(&self, rows: usize) -> String {
        EMAIL.replace("recipients.csv", &self.upload(recipients(rows)))
    }
}

fn answer(called: Result<ureq::Response, ureq::Error>) -> Answer {
    let (Ok(response) | Err(ureq::Error::Status(_, response))) = called else {
        panic!("no answer: {called:?}")
    };
    let status = response.status();
    (status, serde_json::from_str(&response.into_string().unwrap()).unwrap())
}

fn submitted((status, body): Answer) -> String {
    assert_eq!(status, 201, "{body}");
    body["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_campaign_over_http_is_generated_and_its_results_are_those_of_the_command_line() {
    let cluster = Cluster::new("", "");
    let port = Served::start(&cluster);
    let campaign = port.campaign(20);
    let id = submitted(port.post("/v1/campaigns", &campaign));
    let path = format!("/v1/campaigns/{id}");
    let (status, body) = port.get(&format!("{path}/results"));
    assert_eq!((status, body["error"].as_str().unwrap().contains("has not ended")), (409, true));
    let _worker = cluster.worker();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 40);
    let (status, body) = port.get(&path);
    assert_eq!((status, &body["state"], &body["messages"]), (200, &json!("completed"), &json!(40)));
    let results = ureq::get(&format!("{}{path}/results", port.url)).call().unwrap().into_string().unwrap();
    cluster.copymill(&["results", &id, "-o", "results.jsonl"]).success();
    assert_eq!(results, std::fs::read_to_string(cluster.place.path("results.jsonl")).unwrap());
    assert_eq!(results.lines().count(), 40);
    let (_, listed) = port.get("/v1/campaigns");
    assert_eq!(listed["campaigns"][0]["id"], id);
    for order in ["pause", "resume", "cancel", "approve"] {
        let (status, body) = port.post(&format!("{path}/{order}"), "");
        assert_eq!((status, body["error"].as_str().unwrap().contains("is completed already")), (409, true));
    }
}

#[test]
fn rows_are_uploaded_in_any_format_and_packed() {
    let cluster = Cluster::new("", "");
    let (port, people) = (Served::start(&cluster), recipients(20));
    let _worker = cluster.scripted_worker(0, &[]);
    let packed = zstd::encode_all(lines_of_json(&people).as_bytes(), 1).unwrap();
    let mut written_to = Vec::new();
    for rows in [people.clone().into_bytes(), parquet(&people), packed] {
        let id = submitted(port.post("/v1/campaigns", EMAIL.replace("recipients.csv", &port.upload(rows))));
        cluster.wait_for(&id, "completed", PATIENCE);
        cluster.verify(&id, 40);
        let recipients = cluster.results(&id).into_iter().map(|mut line| line["recipient"].take());
        written_to.push(recipients.collect::<Vec<_>>());
    }
    assert!(written_to[0].iter().all(|recipient| recipient["tier"].is_string()), "{:?}", written_to[0]);
    assert_eq!(written_to[1..], [written_to[0].clone(), written_to[0].clone()]);
}

#[test]
fn results_that_were_altered_in_the_store_do_not_arrive_whole() {
    let cluster = Cluster::new("", "");
    let (port, _worker) = (Served::start(&cluster), cluster.worker());
    let id = submitted(port.post("/v1/campaigns", port.campaign(4)));
    cluster.wait_for(&id, "completed", PATIENCE);
    let key = CampaignKeys::of(&id.parse().unwrap()).output(ChunkKind::Messages, &ChunkId::whole(0));
    cluster.block_on(cluster.store().put(&key, "altered".into(), Condition::Always)).unwrap();
    let response = ureq::get(&format!("{}/v1/campaigns/{id}/results", port.url)).call().unwrap();
    response.into_string().unwrap_err();
    port.program.wait_for("its checksum differs", PATIENCE);
}

#[test]
fn the_same_request_with_its_key_is_one_campaign_in_yaml_and_in_json() {
    let cluster = Cluster::new("", "");
    let port = Served::start(&cluster);
    let source = port.upload("id,first_name,last_category,tier\nc-1,Zoë 🏔,tents,gold\n");
    let campaign = json!({
        "campaign": "spring", "kind": "social_post", "model": "demo",
        "audience": { "source": source, "id": "id", "fields": ["last_category"], "merge": ["first_name"] },
        "brief": { "brand": "Zoë 🏔 Outdoor" }, "facts": { "url": "https://northwind.example" },
    });
    let yaml = format!(
        "campaign: spring\nkind: social_post\nmodel: demo\naudience:\n  source: {source}\n  id: id\n  \
         fields: [last_category]\n  merge: [first_name]\nbrief: {{ brand: Zoë 🏔 Outdoor }}\n\
         facts: {{ url: \"https://northwind.example\" }}\n"
    );
    let id = submitted(port.post_once("order-7", campaign.to_string()));
    // Many libraries write what is not ASCII as pairs of escapes, which YAML does not know.
    let escaped = campaign.to_string().replace('🏔', "\\ud83c\\udfd4").replace('ë', "\\u00eb");
    for again in [campaign.to_string(), escaped, yaml] {
        let (status, body) = port.post_once("order-7", again);
        assert_eq!((status, body["id"].as_str()), (200, Some(id.as_str())));
    }
    let (status, body) = port.post_once("order-7", campaign.to_string().replace("spring", "summer"));
    assert_eq!(status, 409);
    assert!(body["error"].as_str().unwrap().contains(&format!("for another campaign ({id})")), "{body}");
    assert_ne!(
        submitted(port.post("/v1/campaigns", campaign.to_string())),
        id,
        "without the key it is another one"
    );
    assert_eq!(port.post_once("", campaign.to_string()).0, 400);
}

#[test]
fn all_that_is_wrong_is_said_at_once_and_no_file_of_the_server_is_read() {
    let cluster = Cluster::new("", "");
    let port = Served::start(&cluster);
    let refused = |campaign: String| {
        let (status, body) = port.post("/v1/campaigns", campaign);
        assert_eq!(status, 400, "{body}");
        let text = body.to_string();
        assert!(
            !text.contains("root:") && !text.contains(&cluster.place.path("").display().to_string()),
            "{text}"
        );
        assert!(body["error"].as_str().unwrap().contains("not in order"), "{text}");
        body["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|problem| problem.as_str().unwrap().to_owned())
            .collect()
    };
    let campaign = EMAIL
        .replace("social_post", "../../etc/passwd")
        .replace("model: demo", "model: /etc/passwd\nprompt: ../../../etc/passwd")
        .replace("variants: 2", "variants: 99\nattempt: 2\ndeadline: \"2020-01-01T00:00:00Z\"\nsuppression: { list: /etc/passwd, by: ids }")
        .replace("recipients.csv", "../../../../etc/passwd");
    let problems: Vec<String> = refused(campaign);
    for said in [
        "campaign.yaml:2:7: kind: there is no kind `../../etc/passwd`",
        "campaign.yaml:3:8: model: this server takes no such model over HTTP; it takes `demo`",
        "campaign.yaml:4:9: prompt: a campaign over HTTP names no files",
        "campaign.yaml:6:11: audience.source: over HTTP, rows are uploaded first",
        "campaign.yaml:11:11: variants: 99 is out of range",
        "campaign.yaml:12:1: attempt: unknown key; did you mean `attempts`?",
        "campaign.yaml:13:11: deadline: the deadline has passed",
        "campaign.yaml:14:22: suppression.list: a campaign over HTTP names no files",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(said)), "{said} in {problems:#?}");
    }
    assert_eq!(problems.len(), 8, "{problems:#?}");
    let missing = EMAIL.replace("recipients.csv", &format!("audiences/{}", "0".repeat(64)));
    assert!(refused(missing)[0].contains("there is no such audience"));
    let facts = port.campaign(2).replace(", url: \"https://northwind.example/spring\"", "");
    assert_eq!(refused(facts), ["campaign.yaml:12:8: facts: the kind `social_post` needs the fact `url`"]);
    let columns = port.campaign(2).replace("fields: [last_category, tier]", "fields: [last_categories]");
    assert!(refused(columns)[0].contains("did you mean `last_category`?"));
    let source = port.upload("\0\u{1}\u{2} no rows");
    assert!(
        refused(EMAIL.replace("recipients.csv", &source))[0]
            .contains(&format!("the audience {source} cannot be used"))
    );
    assert_eq!(port.get("/v1/campaigns").1, json!({ "campaigns": [], "next": null }));
}

#[test]
fn what_is_too_large_or_not_there_is_said() {
    let cluster = Cluster::new("", "");
    let port = Served::start(&cluster);
    let (status, body) = port.post("/v1/campaigns", vec![b' '; (1 << 20) + 1]);
    assert_eq!((status, body["error"].as_str().unwrap().contains("1048576 bytes at most")), (413, true));
    // Nobody sends 16 GiB to be told that they are too many.
    let mut socket = TcpStream::connect(port.url.trim_start_matches("http://")).unwrap();
    socket
        .write_all(b"POST /v1/audiences HTTP/1.1\r\nHost: x\r\nContent-Length: 17179869185\r\n\r\nid\n")
        .unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 413");
    assert_eq!(port.post("/v1/audiences", "").0, 400);
    assert_eq!(port.post("/v1/campaigns", b"\xff").0, 400);
    let id = "01JD8ZK3M4Q5R6S7T8V9W0X1Y2";
    for path in [
        "/",
        "/v1",
        "/v1/campaigns/spring",
        &format!("/v1/campaigns/{id}"),
        &format!("/v1/campaigns/{id}/results"),
    ] {
        let (status, body) = port.get(path);
        assert_eq!((status, body["error"].is_string()), (404, true), "{path}");
    }
    assert_eq!(port.post(&format!("/v1/campaigns/{id}/pause"), "").0, 404);
    assert_eq!(port.post(&format!("/v1/campaigns/{id}/explode"), "").0, 404);
    assert_eq!(port.get("/v1/audiences").0, 405);
}

#[test]
fn a_scheduler_that_stands_by_serves_too() {
    let cluster = Cluster::new("", "");
    let leading = Served::start(&cluster);
    leading.program.wait_for("leading", PATIENCE);
    let standby = Served::start(&cluster);
    let id = submitted(standby.post("/v1/campaigns", standby.campaign(40)));
    let path = format!("/v1/campaigns/{id}");
    let (status, body) = standby.post(&format!("{path}/approve"), "");
    assert_eq!((status, body["error"].as_str().unwrap().contains("can be approved")), (409, true));
    assert_eq!(standby.post(&format!("{path}/pause"), "").0, 202);
    wait_until("the campaign is paused", PATIENCE, || standby.get(&path).1["state"] == "paused");
    assert_eq!(standby.post(&format!("{path}/resume"), "").0, 202);
    let _worker = cluster.worker();
    cluster.wait_for(&id, "completed", PATIENCE);
    assert_eq!(leading.get(&path).1["state"], "completed");
    assert!(!standby.program.log().contains("INFO leading"), "it never led");
}

#[test]
fn a_pilot_is_read_and_approved_over_http() {
    let cluster = Cluster::new("", "");
    let (port, _worker) = (Served::start(&cluster), cluster.worker());
    let id = submitted(
        port.post("/v1/campaigns", port.campaign(60).replace("variants: 2", "variants: 1\npilot: 10")),
    );
    let path = format!("/v1/campaigns/{id}");
    let results = || ureq::get(&format!("{}{path}/results", port.url)).call().unwrap().into_string().unwrap();
    wait_until("the pilot is done", PATIENCE, || port.get(&path).1["state"] == "awaiting_approval");
    let pilot = results();
    assert_eq!(pilot.lines().count(), 10);
    assert_eq!(port.post(&format!("{path}/approve"), "").0, 202);
    cluster.wait_for(&id, "completed", PATIENCE);
    let all = results();
    assert!(all.starts_with(&pilot) && all.lines().count() == 60, "what the pilot wrote is final");
}

#[test]
fn a_pilot_is_sent_back_and_what_was_rejected_is_tried_again_over_http() {
    let cluster = Cluster::new("", "");
    let (port, _plain) =
        (Served::start(&cluster), cluster.scripted_worker(0, &[("SCRIPT_EMPTY_AT", "gold")]));
    let pilot = port.campaign(60).replace("variants: 2", "variants: 1\npilot: 10");
    let first = submitted(port.post("/v1/campaigns", &pilot));
    let state = |id: &str| port.get(&format!("/v1/campaigns/{id}")).1["state"].clone();
    wait_until("the pilot is done", PATIENCE, || state(&first) == "awaiting_approval");
    let without = pilot.replace("pilot: 10", "weight: 2");
    let missing = "/v1/campaigns?replaces=01JD8ZK3M4Q5R6S7T8V9W0X1Y2";
    assert_eq!(port.post(missing, &without).0, 404);
    assert_eq!(port.post(&format!("/v1/campaigns?replace={first}"), &without).0, 400);
    let second = submitted(port.post(&format!("/v1/campaigns?replaces={first}"), &without));
    wait_until("the pilot is cancelled", PATIENCE, || state(&first) == "cancelled");
    cluster.wait_for(&second, "completed", PATIENCE);
    assert_eq!(cluster.messages_with(&second, "rejected"), 20, "a third has gold");
    assert_eq!(port.post(&format!("/v1/campaigns/{first}/retry-rejected"), "").0, 409);
    assert_eq!(port.post(&format!("/v1/campaigns/{second}/retry-rejected"), "").0, 202);
    let attempts = || cluster.results(&second).iter().map(|line| line["attempt"].as_u64().unwrap()).max();
    wait_until("it was tried again", PATIENCE, || state(&second) == "completed" && attempts() == Some(6));
    cluster.verify(&second, 60);
}

#[test]
fn campaigns_are_listed_page_by_page() {
    let cluster = Cluster::new("", "");
    let port = Served::start(&cluster);
    let campaign = port.campaign(2);
    let ids: Vec<String> = (0..5).map(|_| submitted(port.post("/v1/campaigns", &campaign))).collect();
    let (mut seen, mut path) = (Vec::new(), "/v1/campaigns?limit=2".to_owned());
    loop {
        let (status, page) = port.get(&path);
        assert_eq!(status, 200, "{page}");
        let listed = page["campaigns"].as_array().unwrap();
        assert!(listed.len() <= 2);
        seen.extend(listed.iter().map(|campaign| campaign["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/campaigns?limit=2&after={next}");
    }
    assert_eq!(seen, ids);
    for wrong in ["limit=0", "limit=1001", "limit=many", "after=spring", "before=x"] {
        let (status, body) = port.get(&format!("/v1/campaigns?{wrong}"));
        assert_eq!((status, body["error"].is_string()), (400, true), "{wrong}: {body}");
    }
}

#[test]
fn health_is_the_process_and_readiness_is_store_and_broker() {
    let cluster = Cluster::new("", "");
    let port = Served::start(&cluster);
    assert_eq!(port.get("/healthz").0, 200);
    assert_eq!(port.get("/readyz").0, 200);
    let placed = cluster.s3.fail(Method::HEAD, "/leader.json", S3Fault::Hang(Duration::from_secs(600)), 1);
    let (status, body) = port.get("/readyz");
    assert_eq!((status, &body["error"]), (503, &json!("the store does not answer")));
    assert_eq!(placed.fired(), 1);
    assert_eq!(port.get("/healthz").0, 200);
    assert_eq!(port.get("/readyz").0, 200);
}

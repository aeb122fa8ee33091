//! Credentials of the store, from wherever programs of AWS look for them.

use copymill_tests::s3::{ACCESS_KEY, SECRET_KEY};
use copymill_tests::{Cluster, Finished, Running};

use crate::campaign::{EMAIL, recipients};

/// Lists campaigns, with credentials in the environment and none in the settings.
fn listed(cluster: &Cluster, environment: &[(&str, &str)]) -> Finished {
    let mut command = cluster.place.command(&["list"]);
    let settings = cluster.environment().into_iter().filter(|(name, _)| !name.ends_with("CREDENTIALS_FILE"));
    command.envs(settings).envs(environment.iter().copied());
    Running::spawn(command).finish()
}

#[test]
fn credentials_come_from_the_standard_variables_files_and_commands_of_aws() {
    let cluster = Cluster::new(EMAIL, recipients(4));
    let id = cluster.submit();
    let keys = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
    assert!(listed(&cluster, &keys).success().stdout.contains(&id));
    cluster.place.write(
        "profiles",
        format!("[shop]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"),
    );
    let file = cluster.place.path("profiles").display().to_string();
    let profile = [("AWS_SHARED_CREDENTIALS_FILE", file.as_str()), ("AWS_PROFILE", "shop")];
    assert!(listed(&cluster, &profile).success().stdout.contains(&id));
    let command = r#"{"Version":1,"AccessKeyId":"ID","SecretAccessKey":"KEY"}"#;
    let command = command.replace("ID", ACCESS_KEY).replace("KEY", SECRET_KEY);
    cluster.place.write("said", command);
    let said = cluster.place.path("said").display().to_string();
    cluster.place.write("config", format!("[default]\ncredential_process = /bin/cat {said}\n"));
    let config = cluster.place.path("config").display().to_string();
    assert!(listed(&cluster, &[("AWS_CONFIG_FILE", &config)]).success().stdout.contains(&id));
    let wrong = listed(&cluster, &[keys[0], ("AWS_SECRET_ACCESS_KEY", "of-somebody-else")]);
    wrong.fails(1, &["s3://bucket/some/prefix", "SignatureDoesNotMatch"]);
}

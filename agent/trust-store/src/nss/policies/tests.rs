use super::*;

struct Stage {
    programs: tempfile::TempDir,
}

impl Stage {
    fn new(version: &str) -> Self {
        let programs = tempfile::tempdir().unwrap();
        let folder = programs.path().join("Mozilla Firefox");
        fs::create_dir_all(&folder).unwrap();
        let text = format!("[App]\r\nVendor=Mozilla\r\nName=Firefox\r\nVersion={version}\r\n");
        fs::write(folder.join("application.ini"), text).unwrap();
        Self { programs }
    }

    fn firefox(&self) -> FirefoxInstallation {
        find_installations(&[self.programs.path().to_path_buf()]).remove(0)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.programs.path().join("Mozilla Firefox/distribution").join(name)
    }

    fn write(&self, content: &str) {
        fs::create_dir_all(self.file("")).unwrap();
        fs::write(self.file("policies.json"), content).unwrap();
    }

    fn content(&self) -> Option<String> {
        fs::read_to_string(self.file("policies.json")).ok()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.content().unwrap()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.file("")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn restart() -> Changed {
    Changed::AfterRestart { application: "Firefox".to_owned() }
}

#[test]
fn the_version_says_how_the_machines_roots_are_taken() {
    let how = |version| Stage::new(version).firefox().machine_roots();
    assert_eq!(how("153.7.0"), MachineRoots::ByItself);
    assert_eq!(how("120.0"), MachineRoots::ByItself);
    assert_eq!(how("115.20.0"), MachineRoots::ByPolicy);
    assert_eq!(how("52.9.0"), MachineRoots::Never);
}

#[test]
fn what_is_no_firefox_is_not_found() {
    let programs = tempfile::tempdir().unwrap();
    let folder = programs.path().join("Mozilla Firefox");
    fs::create_dir_all(&folder).unwrap();
    let found = || find_installations(&[programs.path().to_path_buf()]);
    assert_eq!(found(), []);
    for text in ["", "[App]\nName=Thunderbird\nVersion=115.0\n", "[App]\nName=Firefox\nVersion=new\n"] {
        fs::write(folder.join("application.ini"), text).unwrap();
        assert_eq!(found(), []);
    }
}

#[test]
fn a_new_firefox_is_left_alone_and_one_that_is_too_old_is_told() {
    let stage = Stage::new("128.1.0");
    assert_eq!(stage.firefox().import_machine_roots().unwrap(), Changed::AlreadySo);
    assert!(stage.names().is_empty());
    assert!(matches!(Stage::new("52.0").firefox().import_machine_roots(), Err(PolicyError::TooOld { .. })));
}

#[test]
fn the_policy_comes_and_goes_where_there_was_no_file() {
    let stage = Stage::new("115.20.0");
    assert_eq!(stage.firefox().withdraw_policy().unwrap(), Changed::AlreadySo);
    assert_eq!(stage.firefox().import_machine_roots().unwrap(), restart());
    assert_eq!(stage.firefox().import_machine_roots().unwrap(), Changed::AlreadySo);
    assert_eq!(stage.json(), json!({"policies": {"Certificates": {"ImportEnterpriseRoots": true}}}));
    assert_eq!(stage.firefox().withdraw_policy().unwrap(), restart());
    assert!(stage.names().is_empty(), "{:?}", stage.names());
}

#[test]
fn an_administrators_file_is_merged_and_given_back_octet_for_octet() {
    let stage = Stage::new("115.20.0");
    let text = "{ \"policies\":\r\n {\"DisableTelemetry\": true, \"Certificates\": {\"Install\": [\"C:\\\\ca.pem\"],\
                 \"ImportEnterpriseRoots\": false}, \"X\": [1, -2, null, \"診療所\"]}, \"other\": {}}";
    stage.write(text);
    assert_eq!(stage.firefox().import_machine_roots().unwrap(), restart());
    let mut expected: Value = serde_json::from_str(text).unwrap();
    expected["policies"]["Certificates"]["ImportEnterpriseRoots"] = json!(true);
    assert_eq!(stage.json(), expected);
    assert_eq!(fs::read_to_string(stage.file(BEFORE)).unwrap(), text);
    assert_eq!(stage.firefox().withdraw_policy().unwrap(), restart());
    assert_eq!((stage.content().as_deref(), stage.names()), (Some(text), vec!["policies.json".to_owned()]));
}

#[test]
fn what_the_administrator_changed_meanwhile_is_kept() {
    let stage = Stage::new("115.20.0");
    stage.write(r#"{"policies": {"A": 1}}"#);
    stage.firefox().import_machine_roots().unwrap();
    stage.write(r#"{"policies": {"A": 2, "B": 3, "Certificates": {"ImportEnterpriseRoots": true}}}"#);
    assert_eq!(stage.firefox().withdraw_policy().unwrap(), restart());
    assert_eq!(stage.json(), json!({"policies": {"A": 2, "B": 3}}));
}

#[test]
fn a_policy_that_the_administrator_has_set_is_never_taken_away() {
    let stage = Stage::new("115.20.0");
    let text = r#"{"policies": {"Certificates": {"ImportEnterpriseRoots": true}}}"#;
    stage.write(text);
    assert_eq!(stage.firefox().import_machine_roots().unwrap(), Changed::AlreadySo);
    assert_eq!(stage.firefox().withdraw_policy().unwrap(), Changed::AlreadySo);
    assert_eq!(stage.content().as_deref(), Some(text));
}

#[test]
fn a_file_that_is_not_understood_whole_is_left_alone() {
    let malformed = [
        "{\"policies\": ",
        "[]",
        "{\"policies\": []}",
        "{\"policies\": {\"Certificates\": true}}",
        "{\"policies\": {\"A\": 1, \"A\": 2}}",
        "{\"policies\": {\"A\": 1.50}}",
        "\u{feff}{}",
        "{} {}",
    ];
    for text in malformed {
        let stage = Stage::new("115.20.0");
        stage.write(text);
        let refused = stage.firefox().import_machine_roots();
        assert!(matches!(refused, Err(PolicyError::Malformed { .. })), "{text}: {refused:?}");
        assert_eq!((stage.content().as_deref(), stage.names().len()), (Some(text), 1));
    }
}

#[test]
fn a_file_without_end_is_refused() {
    let stage = Stage::new("115.20.0");
    stage.write(&" ".repeat(2 * 1024 * 1024));
    assert!(matches!(stage.firefox().import_machine_roots(), Err(PolicyError::Io { step: "read", .. })));
}

use inkan_model::checkup::CheckStatus;
use inkan_model::programme::{Browser, Pattern, Site, TlsVersion};

use super::*;
use crate::doctor::registry::Value;
use crate::doctor::registry::fake::FakeRegistry;

const SID: &str = "S-1-5-21-1-2-3-1001";

fn settings() -> KeyPath {
    KeyPath::user(SID, INTERNET_SETTINGS)
}

fn policy() -> KeyPath {
    KeyPath::machine(POLICY_SETTINGS)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A PC with one user who is signed in, and nothing set.
fn pc() -> FakeRegistry {
    FakeRegistry::default()
        .with(&KeyPath::user(SID, "Volatile Environment"), "USERNAME", text("uketsuke"))
        .with(&KeyPath { hive: Hive::Users, path: format!("{SID}_Classes") }, "x", Value::Number(1))
        .with(&KeyPath { hive: Hive::Users, path: ".DEFAULT".to_owned() }, "x", Value::Number(1))
}

fn site(address: &str) -> Site {
    address.parse().unwrap()
}

fn pattern(pattern: &str) -> Pattern {
    pattern.parse().unwrap()
}

fn needs() -> ProgrammeChecks {
    ProgrammeChecks {
        sites: vec![site("https://www.cjs-rokin.jp")],
        minimum_tls: Some(TlsVersion::Tls12),
        trusted_zone: true,
        pop_ups: true,
        cookies: true,
        proxy_exceptions: vec![pattern("*.secomtrust.net")],
        ..ProgrammeChecks::default()
    }
}

fn statuses(registry: &FakeRegistry, name: Check) -> Vec<CheckStatus> {
    results(registry, name).iter().map(|result| result.status).collect()
}

fn results(registry: &FakeRegistry, name: Check) -> Vec<CheckResult> {
    let results = InternetOptions::read(registry).checks(&needs());
    results.into_iter().filter(|result| result.name == name).collect()
}

#[test]
fn users_are_people_who_are_signed_in_by_their_names() {
    let users = InternetOptions::read(&pc()).users;
    assert_eq!(users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["uketsuke"]);
}

#[test]
fn tls_is_on_where_nobody_chose() {
    assert_eq!(statuses(&pc(), Check::TlsVersions), [CheckStatus::Well]);
}

#[test]
fn switched_off_tls_and_switched_on_ssl_are_told() {
    let with = |bits| pc().with(&settings(), "SecureProtocols", Value::Number(bits));
    assert_eq!(statuses(&with(0x800), Check::TlsVersions), [CheckStatus::Well]);
    assert_eq!(statuses(&with(0x280), Check::TlsVersions), [CheckStatus::Now]);
    assert_eq!(statuses(&with(0x828), Check::TlsVersions), [CheckStatus::Soon]);
    assert_eq!(statuses(&with(0x28), Check::TlsVersions), [CheckStatus::Now, CheckStatus::Soon]);
    let ssl = &results(&with(0x828), Check::TlsVersions)[0];
    assert!(ssl.statement.ja.contains("uketsuke") && ssl.statement.ja.contains("SSL 2.0, SSL 3.0"));
    assert!(ssl.remedy.as_ref().unwrap().en.contains("repair tls"));
}

#[test]
fn a_policy_counts_before_a_users_choice_and_is_named_as_one() {
    let registry = pc().with(&settings(), "SecureProtocols", Value::Number(0x800)).with(
        &policy(),
        "SecureProtocols",
        Value::Number(0xa0),
    );
    let results = results(&registry, Check::TlsVersions);
    assert_eq!(results[0].status, CheckStatus::Now);
    assert!(results[0].remedy.as_ref().unwrap().en.contains("policy"));
}

#[test]
fn tls_that_windows_itself_switches_off_helps_no_user() {
    let key =
        KeyPath::machine("SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.2\\Client");
    let registry = pc().with(&key, "Enabled", Value::Number(0));
    let statuses = statuses(&registry, Check::TlsVersions);
    assert_eq!(statuses, [CheckStatus::Now, CheckStatus::Now]);
}

#[test]
fn a_programme_that_takes_old_tls_is_served_by_it_and_told_that_it_is_old() {
    let registry = pc().with(&settings(), "SecureProtocols", Value::Number(0x80));
    let options = InternetOptions::read(&registry);
    let results = options.tls_versions(Some(TlsVersion::Tls10));
    assert_eq!(results.iter().map(|result| result.status).collect::<Vec<_>>(), [CheckStatus::Soon]);
}

#[test]
fn a_proxy_without_the_exception_is_told_and_one_with_it_is_not() {
    let with = |exceptions: &str| {
        pc().with(&settings(), "ProxyEnable", Value::Number(1))
            .with(&settings(), "ProxyServer", text("http://user:secret@proxy:8080"))
            .with(&settings(), "ProxyOverride", text(exceptions))
    };
    for (exceptions, status) in [
        ("<local>", CheckStatus::Soon),
        ("<local>; *.secomtrust.net", CheckStatus::Well),
        ("*.SecomTrust.net;<local>", CheckStatus::Well),
        ("*.net", CheckStatus::Well),
        ("*", CheckStatus::Well),
        ("secomtrust.net", CheckStatus::Soon),
        ("*.trust.net", CheckStatus::Soon),
    ] {
        assert_eq!(statuses(&with(exceptions), Check::Proxy), [status], "{exceptions}");
    }
    let told = &results(&with(""), Check::Proxy)[0].statement;
    assert!(told.en.contains("proxy:8080") && !told.en.contains("secret"), "{}", told.en);
}

#[test]
fn a_proxy_that_is_switched_off_or_chosen_by_a_script_is_told_as_such() {
    let off = pc().with(&settings(), "ProxyServer", text("proxy:8080"));
    assert_eq!(statuses(&off, Check::Proxy), [CheckStatus::Well]);
    let script = pc().with(&settings(), "AutoConfigURL", text("http://wpad/proxy.pac"));
    assert_eq!(statuses(&script, Check::Proxy), [CheckStatus::Unknown]);
}

#[test]
fn a_proxy_of_the_whole_machine_counts_for_every_user() {
    let machine = KeyPath::machine(INTERNET_SETTINGS);
    let registry = pc()
        .with(&policy(), "ProxySettingsPerUser", Value::Number(0))
        .with(&machine, "ProxyEnable", Value::Number(1))
        .with(&machine, "ProxyServer", text("proxy:3128"));
    assert!(results(&registry, Check::Proxy)[0].statement.en.contains("proxy:3128"));
}

#[test]
fn the_environments_proxy_is_looked_at_where_there_are_no_options() {
    let of = |no_proxy: &'static str| {
        EnvironmentProxy::of(move |name| match name {
            "HTTPS_PROXY" => Some("http://u:secret@proxy:3128".to_owned()),
            "no_proxy" => Some(no_proxy.to_owned()),
            _ => None,
        })
    };
    assert_eq!(of("localhost").check(&needs())[0].status, CheckStatus::Soon);
    assert_eq!(of("localhost, .secomtrust.net").check(&needs())[0].status, CheckStatus::Well);
    assert_eq!(of("secomtrust.net").check(&needs())[0].status, CheckStatus::Well);
    assert!(!of("").check(&needs())[0].statement.en.contains("secret"));
    assert_eq!(EnvironmentProxy::of(|_| None).check(&needs())[0].status, CheckStatus::Well);
}

#[test]
fn a_trusted_site_is_found_in_every_form_that_windows_writes() {
    assert_eq!(statuses(&pc(), Check::TrustedZone), [CheckStatus::Soon]);
    let domains = settings().below("ZoneMap\\Domains");
    let user = &policy_of_user();
    for (key, name, value) in [
        (domains.below("cjs-rokin.jp").below("www"), "https", Value::Number(2)),
        (domains.below("cjs-rokin.jp"), "*", Value::Number(2)),
        (KeyPath::machine(INTERNET_SETTINGS).below("ZoneMap\\Domains\\cjs-rokin.jp\\www"), "https", Value::Number(2)),
        (policy().below("ZoneMapKey"), "https://www.cjs-rokin.jp", text("2")),
        (user.below("ZoneMapKey"), "*.cjs-rokin.jp", text("2")),
    ] {
        let registry = pc().with(&key, name, value);
        assert_eq!(statuses(&registry, Check::TrustedZone), [CheckStatus::Well], "{key}");
    }
}

fn policy_of_user() -> KeyPath {
    KeyPath::user(SID, POLICY_SETTINGS)
}

#[test]
fn a_site_in_another_zone_or_by_another_scheme_is_not_trusted() {
    let www = settings().below("ZoneMap\\Domains\\cjs-rokin.jp\\www");
    let restricted = pc().with(&www, "https", Value::Number(4));
    let plain = pc().with(&www, "http", Value::Number(2));
    let other = pc().with(&settings().below("ZoneMap\\Domains\\rokin.jp"), "*", Value::Number(2));
    for registry in [restricted, plain, other] {
        assert_eq!(statuses(&registry, Check::TrustedZone), [CheckStatus::Soon]);
    }
}

#[test]
fn a_zone_is_written_by_domain_as_windows_does_it() {
    let below = |address: &str| {
        let key = zones::key_of(SID, &site(address));
        key.path.rsplit_once("Domains\\").unwrap().1.to_owned()
    };
    assert_eq!(below("https://www.cjs-rokin.jp"), "cjs-rokin.jp\\www");
    assert_eq!(below("https://cert.obn.managedpki.ne.jp"), "managedpki.ne.jp\\cert.obn");
    assert_eq!(below("https://example.co.jp"), "example.co.jp");
}

fn with_browsers(registry: FakeRegistry, programs: &[&str]) -> FakeRegistry {
    programs.iter().fold(registry, |registry, program| {
        let key = KeyPath::machine(&format!("SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\App Paths\\{program}"));
        registry.with(&key, "", text("C:\\somewhere"))
    })
}

#[test]
fn internet_explorers_pop_up_blocker_has_its_exceptions() {
    let explorer = || with_browsers(pc(), &["iexplore.exe"]);
    let new_windows = KeyPath::user(SID, "Software\\Microsoft\\Internet Explorer\\New Windows");
    assert_eq!(statuses(&explorer(), Check::PopUps), [CheckStatus::Soon]);
    let off = explorer().with(&new_windows, "PopupMgr", text("no"));
    assert_eq!(statuses(&off, Check::PopUps), [CheckStatus::Well]);
    let allowed = explorer().with(&new_windows.below("Allow"), "www.cjs-rokin.jp", Value::Bytes(vec![0; 4]));
    assert_eq!(statuses(&allowed, Check::PopUps), [CheckStatus::Well]);
}

#[test]
fn policies_of_edge_and_chrome_say_who_may_open_windows() {
    let edge = || with_browsers(pc(), &["msedge.exe"]);
    let policies = KeyPath::machine("Software\\Policies\\Microsoft\\Edge");
    let allow = policies.below("PopupsAllowedForUrls");
    assert_eq!(statuses(&edge(), Check::PopUps), [CheckStatus::Unknown]);
    let blocked = || edge().with(&policies, "DefaultPopupsSetting", Value::Number(2));
    assert_eq!(statuses(&blocked(), Check::PopUps), [CheckStatus::Now]);
    for pattern in ["https://www.cjs-rokin.jp", "[*.]cjs-rokin.jp", "https://www.cjs-rokin.jp:443/", "*"] {
        assert_eq!(
            statuses(&blocked().with(&allow, "1", text(pattern)), Check::PopUps),
            [CheckStatus::Well],
            "{pattern}"
        );
    }
    for pattern in ["http://www.cjs-rokin.jp", "cjs-rokin.jp", "https://www.cjs-rokin.jp:8443"] {
        assert_eq!(
            statuses(&blocked().with(&allow, "1", text(pattern)), Check::PopUps),
            [CheckStatus::Now],
            "{pattern}"
        );
    }
    let of_user = KeyPath::user(SID, "Software\\Policies\\Microsoft\\Edge\\PopupsBlockedForUrls");
    let by_user = edge().with(&of_user, "1", text("www.cjs-rokin.jp"));
    assert_eq!(statuses(&by_user, Check::PopUps), [CheckStatus::Now]);
}

#[test]
fn forbidden_cookies_are_told() {
    assert_eq!(statuses(&with_browsers(pc(), &["chrome.exe"]), Check::Cookies), [CheckStatus::Well]);
    let chrome = KeyPath::machine("Software\\Policies\\Google\\Chrome");
    let blocked = with_browsers(pc(), &["chrome.exe"]).with(&chrome, "DefaultCookiesSetting", Value::Number(2));
    assert_eq!(statuses(&blocked, Check::Cookies), [CheckStatus::Now]);
    let history = settings().below("P3P\\History\\cjs-rokin.jp");
    let explorer = with_browsers(pc(), &["iexplore.exe"]).with(&history, "", Value::Number(5));
    assert_eq!(statuses(&explorer, Check::Cookies), [CheckStatus::Now]);
}

#[test]
fn nothing_is_claimed_where_nobody_is_signed_in_or_nothing_can_be_read() {
    let nobody = InternetOptions::read(&FakeRegistry::default()).checks(&needs());
    assert!(nobody.iter().all(|result| result.status == CheckStatus::Unknown), "{nobody:#?}");
    assert_eq!(nobody.len(), 5);
    let registry = pc();
    registry.refuse();
    let options = InternetOptions::read(&registry);
    assert!(!options.errors.is_empty() && options.users.is_empty());
    assert!(options.checks(&needs())[0].statement.en.contains("permission denied"));
}

#[test]
fn options_that_the_programme_does_not_ask_for_are_left_out() {
    let results = InternetOptions::read(&pc()).checks(&ProgrammeChecks::default());
    assert_eq!(results.iter().map(|result| result.name).collect::<Vec<_>>(), [Check::TlsVersions]);
    assert!(InternetOptions::read(&pc()).browsers.is_empty() && Browser::ALL.len() == 6);
}

proptest::proptest! {
    #[test]
    fn any_pattern_is_matched_without_a_panic(pattern in "[*a.é]{0,12}", text in "[a.é]{0,12}") {
        let exceptions = vec![pattern.clone()];
        let _ = proxy::covers(&exceptions, &text);
        // Whatever it is, it covers itself, and a star covers everything.
        proptest::prop_assert!(proxy::covers(&exceptions, &pattern));
        proptest::prop_assert!(proxy::covers(&["*".to_owned()], &text));
    }
}

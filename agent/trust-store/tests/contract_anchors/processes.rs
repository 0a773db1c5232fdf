//! Promises that take other processes to test: this program once more, which does one change and ends, or is ended.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use inkan_model::{EntryProperties, Fingerprint};
use inkan_trust_store::Anchor;

use crate::instances;
use crate::stage::{Stage, anchor, assert_same};

const INSTANCE: &str = "INKAN_CONTRACT_INSTANCE";
const ROOT: &str = "INKAN_CONTRACT_ROOT";
const CERTIFICATE: &str = "INKAN_CONTRACT_CERTIFICATE";
const DEED: &str = "INKAN_CONTRACT_DEED";
/// Moments at which a change is cut off.
const MOMENTS: u32 = 7;
/// How long one change may take.
const DEADLINE: Duration = Duration::from_mins(2);

#[derive(Clone, Copy)]
enum Deed {
    Add,
    Remove,
}

/// Makes the one change that a promise asked for, where one did.
pub(crate) fn work_as_child() {
    let Ok(name) = std::env::var(INSTANCE) else { return };
    let instance = instances::ALL.iter().find(|instance| instance.name == name).unwrap();
    let path = |variable| PathBuf::from(std::env::var_os(variable).unwrap());
    let store = (instance.open)(&path(ROOT));
    let location = (instance.location)(&*store);
    let (anchors, der) = (store.anchors().unwrap(), std::fs::read(path(CERTIFICATE)).unwrap());
    let changed = match std::env::var(DEED).as_deref() {
        Ok("add") => {
            let name = Some(format!("By a child: {}", Fingerprint::of(&der).short()));
            anchors.add_anchor(&location, &Anchor { der, name, properties: EntryProperties::default() })
        }
        Ok("remove") => anchors.remove_anchor(&location, Fingerprint::of(&der)),
        other => panic!("{other:?} is nothing that can be done"),
    };
    changed.unwrap();
}

impl Stage {
    /// The same program in another process, on its way to make one change.
    fn start(&self, deed: Deed, anchor: &Anchor, around: &[&str]) -> Child {
        let certificate = self.root().join(format!("{}.der", anchor.fingerprint()));
        std::fs::write(&certificate, &anchor.der).unwrap();
        let own = std::env::current_exe().unwrap();
        let mut command = match around {
            [] => Command::new(&own),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(&own);
                command
            }
        };
        command.args(["--exact", "child", "--nocapture"]);
        command.env(INSTANCE, self.instance.name).env(ROOT, self.root()).env(CERTIFICATE, &certificate);
        command.env(DEED, if matches!(deed, Deed::Add) { "add" } else { "remove" });
        for (variable, value) in instances::environment(self.instance) {
            command.env(variable, value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// How long a change takes that nobody cuts off.
    fn time(&self, deed: Deed, anchor: &Anchor) -> Duration {
        let begun = Instant::now();
        end_of(self.start(deed, anchor, &[])).unwrap();
        begun.elapsed()
    }

    /// Begins a change and kills it after so long.
    fn cut_off(&self, deed: Deed, anchor: &Anchor, after: Duration) {
        let mut child = self.start(deed, anchor, &[]);
        // There is no condition to wait for: the moment itself is what is tested.
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Whether a child did what it was told, or its last words.
fn end_of(mut child: Child) -> Result<(), String> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let mut words = String::new();
            child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
            return if status.success() { Ok(()) } else { Err(words) };
        }
        assert!(Instant::now() < deadline, "a change does not come to its end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn writers_in_several_processes_lose_nothing(stage: &Stage) {
    let before = stage.content();
    let wanted: Vec<Anchor> = (0..3).map(|number| anchor(&format!("Process {number}"))).collect();
    let children: Vec<_> = wanted.iter().map(|anchor| stage.start(Deed::Add, anchor, &[])).collect();
    for child in children {
        end_of(child).unwrap();
    }
    let ours: Vec<_> = wanted.iter().map(Anchor::fingerprint).collect();
    assert!(ours.iter().all(|certificate| stage.holds(*certificate)));
    assert_same(&stage.content_without(&ours), &before, "afterwards");
}

pub(crate) fn an_addition_that_is_killed_at_any_moment_can_be_finished_and_taken_back(stage: &Stage) {
    let (before, added) = (stage.content(), anchor("Cut off"));
    let whole = stage.time(Deed::Add, &added);
    stage.anchors().remove_anchor(&stage.location, added.fingerprint()).unwrap();
    for moment in 1..=MOMENTS {
        stage.cut_off(Deed::Add, &added, whole * moment / (MOMENTS + 1));
        assert_same(&stage.content_without(&[added.fingerprint()]), &before, &format!("moment {moment}"));
        stage.anchors().add_anchor(&stage.location, &added).unwrap();
        assert!(stage.holds(added.fingerprint()), "moment {moment}");
        stage.anchors().remove_anchor(&stage.location, added.fingerprint()).unwrap();
        assert_same(&stage.content(), &before, &format!("moment {moment}"));
        // Taken back without having been finished.
        stage.cut_off(Deed::Add, &added, whole * moment / (MOMENTS + 1));
        stage.anchors().remove_anchor(&stage.location, added.fingerprint()).unwrap();
        assert!(!stage.holds(added.fingerprint()), "moment {moment}");
    }
}

pub(crate) fn a_removal_that_is_killed_at_any_moment_can_be_finished(stage: &Stage) {
    let (before, prior) = (stage.content(), stage.prior());
    let rest = stage.content_without(&[prior.fingerprint()]);
    let whole = stage.time(Deed::Remove, &prior);
    stage.anchors().add_anchor(&stage.location, &prior).unwrap();
    for moment in 1..=MOMENTS {
        stage.cut_off(Deed::Remove, &prior, whole * moment / (MOMENTS + 1));
        assert_same(&stage.content_without(&[prior.fingerprint()]), &rest, &format!("moment {moment}"));
        stage.anchors().remove_anchor(&stage.location, prior.fingerprint()).unwrap();
        assert!(!stage.holds(prior.fingerprint()), "moment {moment}");
        stage.anchors().add_anchor(&stage.location, &prior).unwrap();
        assert_same(&stage.content(), &before, &format!("moment {moment}"));
    }
}

/// Of files, none may grow: what a disk without room does to whoever writes.
#[cfg(unix)]
pub(crate) fn a_full_disk_leaves_what_was_there(stage: &Stage) {
    let around = ["sh", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"];
    let (before, added, prior) = (stage.content(), anchor("No room"), stage.prior());
    end_of(stage.start(Deed::Add, &added, &around)).unwrap_err();
    assert_same(&stage.content(), &before, "afterwards");
    let removed = end_of(stage.start(Deed::Remove, &prior, &around));
    let left = if removed.is_ok() { stage.content_without(&[prior.fingerprint()]) } else { before.clone() };
    assert_same(&stage.content(), &left, "afterwards");
    // Once there is room again, all goes on.
    stage.anchors().add_anchor(&stage.location, &added).unwrap();
    stage.anchors().remove_anchor(&stage.location, added.fingerprint()).unwrap();
    stage.anchors().add_anchor(&stage.location, &prior).unwrap();
    assert_same(&stage.content(), &before, "afterwards");
}

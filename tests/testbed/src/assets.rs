//! Where the programs come from: a given folder, or built from what is published: Go modules, and packages for Python.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Context, Error, Result};

/// The Kubernetes minor that tests run against unless they say otherwise.
pub const DEFAULT_KUBERNETES: &str = "1.35";

/// How often a long build says that it is still at work.
const HEARTBEAT: Duration = Duration::from_secs(20);

const CONTROL_PLANE: [&str; 3] = ["etcd", "kube-apiserver", "kubectl"];

const CONTROLLER_MANAGER: &str = "kube-controller-manager";

const GO: Tool = Tool { name: "Go", program: "go", question: "version", from: "https://go.dev/dl" };

const PYTHON: Tool =
    Tool { name: "Python 3", program: "python3", question: "--version", from: "https://www.python.org/downloads" };

/// Folders that this process has asked for already: asking the script costs some tenths of a second.
/// Held while a build runs, so the tests of one binary wait for one build instead of each starting its own.
static FOLDERS: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

/// The folder with etcd, kube-apiserver and kubectl of the default Kubernetes: see [`assets_of`].
///
/// # Errors
///
/// As [`assets_of`].
pub fn assets() -> Result<PathBuf> {
    assets_of(DEFAULT_KUBERNETES)
}

/// The folder with etcd, kube-apiserver and kubectl: `KUBEBUILDER_ASSETS` where that is set (whatever its version), else
/// built for Kubernetes `minor` (such as `1.35`). Blocks: the first build takes minutes and says so on standard error.
///
/// # Errors
///
/// One sentence: a program is missing in `KUBEBUILDER_ASSETS`, Go is not there, or the build failed.
pub fn assets_of(minor: &str) -> Result<PathBuf> {
    if let Some(folder) = kubebuilder() {
        return given(folder);
    }
    built(&Build {
        what: format!("control plane for Kubernetes {minor}"),
        needs: GO,
        script: tests_folder().join("controlplane").join("build"),
        programs: &CONTROL_PLANE,
        version: Some(minor),
        otherwise: ", or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl",
    })
}

/// The program kube-controller-manager: that of the folder `KUBEBUILDER_ASSETS` where it has one, which is rare, else
/// built for Kubernetes `minor`. Few tests need it, so only they wait for its build, which blocks as [`assets_of`] does.
pub(crate) fn controller_manager_of(minor: &str) -> Result<PathBuf> {
    let given = kubebuilder().map(|folder| folder.join(CONTROLLER_MANAGER)).filter(|program| program.is_file());
    if let Some(program) = given {
        return Ok(program);
    }
    let folder = built(&Build {
        what: format!("{CONTROLLER_MANAGER} of Kubernetes {minor}"),
        needs: GO,
        script: tests_folder().join("controlplane").join("build"),
        programs: &[CONTROLLER_MANAGER],
        version: Some(minor),
        otherwise: ", or put kube-controller-manager into the folder that KUBEBUILDER_ASSETS names",
    })?;
    Ok(folder.join(CONTROLLER_MANAGER))
}

/// The folder that a user gives instead of a build.
fn kubebuilder() -> Option<PathBuf> {
    std::env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// The Helm program, built from its published Go module at the version pinned in `tests/helm`. Blocks as [`assets_of`] does.
///
/// # Errors
///
/// One sentence: Go is not there, or the build failed.
pub fn helm() -> Result<PathBuf> {
    let folder = built(&Build {
        what: "Helm".to_owned(),
        needs: GO,
        script: tests_folder().join("helm").join("build"),
        programs: &[],
        version: None,
        otherwise: "",
    })?;
    Ok(folder.join("helm"))
}

/// The program that judges objects with the libraries of kstatus, Argo CD and Flux, built from its sources in
/// `tests/gitops` and the published Go modules pinned there. Blocks as [`assets_of`] does.
///
/// # Errors
///
/// One sentence: Go is not there, or the build failed.
pub fn gitops_judge() -> Result<PathBuf> {
    let folder = built(&Build {
        what: "judges of GitOps tools".to_owned(),
        needs: GO,
        script: tests_folder().join("gitops").join("build"),
        programs: &[],
        version: None,
        otherwise: "",
    })?;
    Ok(folder.join("gitops"))
}

/// A Python program that finds Microsoft's own SDKs, installed at the versions pinned in `tests/parity`. Blocks as
/// [`assets_of`] does, for seconds.
///
/// # Errors
///
/// One sentence: Python is not there, or they could not be installed.
pub fn python_with_sdks() -> Result<PathBuf> {
    let folder = built(&Build {
        what: "virtual environment with Microsoft's SDKs for Python".to_owned(),
        needs: PYTHON,
        script: tests_folder().join("parity").join("build"),
        programs: &[],
        version: None,
        otherwise: "",
    })?;
    Ok(folder.join("bin").join("python"))
}

/// The folder `tests` of the repository.
pub(crate) fn tests_folder() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

fn given(folder: PathBuf) -> Result<PathBuf> {
    let missing: Vec<_> = CONTROL_PLANE.into_iter().filter(|program| !folder.join(program).is_file()).collect();
    if missing.is_empty() {
        return Ok(folder);
    }
    Err(Error::new(format!(
        "KUBEBUILDER_ASSETS is {}, which lacks {}: unset it to have them built, or name a folder with etcd, kube-apiserver and kubectl.",
        folder.display(),
        missing.join(" and "),
    )))
}

/// A program that must be there.
#[derive(Clone, Copy)]
struct Tool {
    name: &'static str,
    program: &'static str,
    /// What makes it say its version and end well.
    question: &'static str,
    from: &'static str,
}

/// One build script and how to speak of it.
struct Build<'a> {
    what: String,
    needs: Tool,
    script: PathBuf,
    /// What to build, for the script that builds several programs.
    programs: &'a [&'a str],
    /// Kubernetes' minor, for the script that knows several.
    version: Option<&'a str>,
    /// What else may be done where the tool is missing.
    otherwise: &'static str,
}

fn built(build: &Build<'_>) -> Result<PathBuf> {
    let mut folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(folder) = folders.get(&build.what) {
        return Ok(folder.clone());
    }
    need_tool(build)?;
    let folder = run(build)?;
    folders.insert(build.what.clone(), folder.clone());
    Ok(folder)
}

fn need_tool(build: &Build<'_>) -> Result<()> {
    let Tool { name, program, question, from } = build.needs;
    let found = Command::new(program).arg(question).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(Error::new(format!(
        "{name} is needed to build the {} for the tests: install it ({from}){}.",
        build.what, build.otherwise,
    )))
}

/// Runs the script, whose only line on standard output is the folder; its progress goes to our own standard error.
fn run(build: &Build<'_>) -> Result<PathBuf> {
    let mut command = Command::new(&build.script);
    command.args(build.programs).stdin(Stdio::null()).stderr(Stdio::inherit());
    if let Some(version) = build.version {
        command.env("KUBERNETES", version);
    }
    let beat = heartbeat(build.what.clone());
    let output = command.output();
    drop(beat);
    let output = output.context(|| format!("{} could not be run", build.script.display()))?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !folder.is_empty() {
        return Ok(PathBuf::from(folder));
    }
    Err(Error::new(format!(
        "The build of the {} failed ({}): {} says why on standard error above.",
        build.what,
        output.status,
        build.script.display(),
    )))
}

/// Says now and then that the build goes on, until the returned end is dropped.
fn heartbeat(what: String) -> Sender<()> {
    let (alive, ended) = channel();
    let began = Instant::now();
    thread::spawn(move || {
        while ended.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
            let seconds = began.elapsed().as_secs();
            // Not eprintln: a test's output is captured and would be shown only after the build.
            if writeln!(
                std::io::stderr(),
                "testbed: still building the {what}, or waiting for another build of it ({seconds} s so far)"
            )
            .is_err()
            {
                return;
            }
        }
    });
    alive
}

//! The program: its lines, its state file, its end.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_emulator");

#[test]
fn the_program_says_where_it_is_and_ends_when_told() {
    let mut child = Command::new(PROGRAM).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let lines: Vec<String> = output.lines().take(4).map(|line| line.expect("a line")).collect();
    let graph = lines[0].rsplit(' ').next().expect("a URL").trim_end_matches('/');
    let sign_in = lines[1].rsplit(' ').next().expect("a URL").trim_end_matches('/');
    assert!(graph.starts_with("http://127.0.0.1:"), "{lines:?}");
    assert!(lines[3].ends_with(&format!("--cloud Global={sign_in},{graph}")), "{lines:?}");
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    assert!(child.wait().expect("ended").success(), "ends in order on SIGTERM");
}

#[test]
fn a_state_file_that_is_none_is_refused_in_a_whole_sentence() {
    let path = std::env::temp_dir().join(format!("emulator-state-{}.json", std::process::id()));
    std::fs::write(&path, r#"{"user": []}"#).expect("written");
    for (file, said) in
        [(path.clone(), "is not a state: unknown field `user`"), (path.with_extension("no"), "can't be read")]
    {
        let output = Command::new(PROGRAM).arg("--state").arg(&file).output().expect("started");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(said), "{error}");
    }
    std::fs::remove_file(&path).expect("removed");
}

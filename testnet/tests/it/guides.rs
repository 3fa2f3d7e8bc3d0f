//! The guides are stories that run: every command in `docs/guides/` is executed here, in the order
//! its marker gives, in one shell, and what the guide shows must be what the command says.
//!
//! A marker is a comment above a fenced block: `<!-- run 30 -->` runs the lines that begin with
//! `$ ` (`<!-- run 30 exit 2 -->` expects that exit code of the last one); `<!-- file 20 NAME -->`
//! writes the block to a file. The other lines of a run block must appear in the output, in order;
//! `…` stands for anything. A command that ends in `&` is started and waited for until it speaks.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A fenced block of a guide with its marker.
struct Block {
    order: u32,
    guide: String,
    what: What,
    text: String,
}

enum What {
    Run { exit: i32 },
    File { name: String },
}

/// A command with the output its guide shows.
struct Step {
    guide: String,
    command: String,
    shown: Vec<String>,
    exit: i32,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_path_buf()
}

fn blocks(guides: &[&str]) -> Vec<Block> {
    let mut found = Vec::new();
    for guide in guides {
        let text = fs::read_to_string(root().join(format!("docs/guides/{guide}.md"))).expect(guide);
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(marker) = line
                .strip_prefix("<!-- ")
                .and_then(|l| l.strip_suffix(" -->"))
            else {
                assert!(
                    !line.starts_with("```console"),
                    "{guide}: a block without a marker"
                );
                continue;
            };
            let words: Vec<&str> = marker.split_whitespace().collect();
            let what = match words.as_slice() {
                ["run", _] => What::Run { exit: 0 },
                ["run", _, "exit", code] => What::Run {
                    exit: code.parse().expect("a code"),
                },
                ["file", _, name] => What::File {
                    name: (*name).to_owned(),
                },
                _ => continue,
            };
            let fence = lines.next().unwrap_or_default();
            assert!(
                fence.starts_with("```"),
                "{guide}: no block after `{marker}`"
            );
            let body: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
            found.push(Block {
                order: words[1].parse().expect("an order"),
                guide: (*guide).to_owned(),
                what,
                text: body.join("\n") + "\n",
            });
        }
    }
    found.sort_by_key(|block| block.order);
    found
}

/// The commands of a run block; a line that ends in `\` goes on.
fn steps(block: &Block, exit: i32) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut goes_on = false;
    for line in block.text.lines() {
        if goes_on {
            let command = &mut steps.last_mut().expect("a command").command;
            let _ = write!(command, "\n{line}");
        } else if let Some(command) = line.strip_prefix("$ ") {
            let guide = block.guide.clone();
            steps.push(Step {
                guide,
                command: command.to_owned(),
                shown: Vec::new(),
                exit: 0,
            });
        } else if !line.trim().is_empty() {
            steps
                .last_mut()
                .expect("output before a command")
                .shown
                .push(line.to_owned());
            continue;
        }
        goes_on = line.ends_with('\\');
    }
    if let Some(last) = steps.last_mut() {
        last.exit = exit;
    }
    steps
}

/// Programs called as the guides call them, run by the one binary that has every role.
fn programs(dir: &Path) {
    let testnet = env!("CARGO_BIN_EXE_quorate-testnet");
    fs::create_dir(dir).expect("a folder for programs");
    for (name, role) in [
        ("quorate", "cli"),
        ("quorate-node", "node"),
        ("quorate-coordinator", "coordinator"),
    ] {
        let path = dir.join(name);
        fs::write(
            &path,
            format!("#!/bin/sh\nexec '{testnet}' role {role} \"$@\"\n"),
        )
        .expect("a program");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).expect("an executable");
    }
}

/// 300 made-up patients: enough for most cells, too few for some.
fn patients(path: &Path) {
    let mut text = String::from("patient_id;birth_year;gender;sbp\n");
    for n in 0..300_u32 {
        let (year, sbp) = (1930 + (n * 37) % 60, 95 + (n * 53) % 80);
        let sex = if n % 9 < 4 { "F" } else { "M" };
        let sbp = if n % 11 == 0 {
            "NA".to_owned()
        } else {
            sbp.to_string()
        };
        let _ = writeln!(text, "p{n:04};{year};{sex};{sbp}");
    }
    fs::create_dir(path.parent().expect("a folder")).expect("data");
    fs::write(path, text).expect("patients");
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// One shell script that runs every step and notes its output and exit code.
fn script(steps: &[Step], port: u16) -> String {
    let mut text =
        String::from("set -u\ntrap 'kill $(cat pids 2>/dev/null) 2>/dev/null; wait' EXIT\n");
    for (n, step) in steps.iter().enumerate() {
        let command = step.command.replace("8443", &port.to_string());
        if let Some(service) = command.strip_suffix('&') {
            let _ = writeln!(
                text,
                "{service} >out.{n} 2>err.{n} & echo $! >>pids\n\
                 for i in $(seq 600); do [ -s out.{n} ] && break; sleep 0.1; done\n\
                 [ -s out.{n} ]; rc=$?; cat err.{n} >>out.{n}; echo $rc >rc.{n}"
            );
        } else {
            let _ = writeln!(text, "{{ {command}\n}} >out.{n} 2>&1; echo $? >rc.{n}");
        }
        let _ = writeln!(text, "[ \"$(cat rc.{n})\" = {} ] || exit 90", step.exit);
    }
    text
}

/// Whether `line` reads like `shown`, where `…` stands for anything.
fn reads_like(line: &str, shown: &str) -> bool {
    let mut rest = line.trim();
    let mut parts = shown.trim().split('…');
    let Some(after) = parts
        .next()
        .and_then(|first| rest.strip_prefix(first.trim_end()))
    else {
        return false;
    };
    rest = after;
    let mut open = false;
    for part in parts {
        open = true;
        let part = part.trim();
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.trim().is_empty() || (open && shown.trim().ends_with('…'))
}

#[test]
fn every_command_of_the_guides_does_what_the_guides_say() {
    play(blocks(&["operator", "custodian", "researcher", "auditor"]));
}

/// The same network, until its first question; from there on it is governed.
#[test]
fn every_command_of_the_governance_guide_does_what_it_says() {
    let all = blocks(&["operator", "custodian", "researcher", "governance"]);
    let kept = all
        .into_iter()
        .filter(|block| block.guide == "governance" || block.order <= 81);
    play(kept.collect());
}

/// Runs the blocks in one shell and holds what is said against what is shown.
fn play(blocks: Vec<Block>) {
    let place = tempfile::tempdir().expect("a folder");
    let work = place.path().join("work");
    fs::create_dir(&work).expect("a work folder");
    programs(&place.path().join("bin"));
    patients(&work.join("data/patients.csv"));

    let port = free_port();
    let mut all = Vec::new();
    for block in blocks {
        match &block.what {
            What::Run { exit } => all.extend(steps(&block, *exit)),
            What::File { name } => {
                // Files are written by a step of their own, so that they may use shell variables.
                let command = format!("cat > {name} <<END_OF_FILE\n{}END_OF_FILE", block.text);
                let guide = block.guide.clone();
                all.push(Step {
                    guide,
                    command,
                    shown: Vec::new(),
                    exit: 0,
                });
            }
        }
    }
    assert!(
        all.len() > 20,
        "the guides have only {} commands",
        all.len()
    );

    let mut shell = Command::new("bash")
        .arg("-c")
        .arg(format!(
            "PATH='{}':$PATH\n{}",
            place.path().join("bin").display(),
            script(&all, port)
        ))
        .current_dir(&work)
        .env("QUORATE_HOME", work.join("alice"))
        .stdin(Stdio::null())
        .spawn()
        .expect("bash");
    shell.wait().expect("the shell ends");

    for (n, step) in all.iter().enumerate() {
        let read =
            |what: &str| fs::read_to_string(work.join(format!("{what}.{n}"))).unwrap_or_default();
        let (output, code) = (read("out"), read("rc"));
        let place = format!(
            "{}.md: $ {}\n--- said ---\n{output}",
            step.guide, step.command
        );
        assert_eq!(code.trim(), step.exit.to_string(), "exit code of {place}");
        let mut lines = output.lines();
        for shown in &step.shown {
            if shown.trim() == "…" {
                continue;
            }
            assert!(
                lines.any(|line| reads_like(line, shown)),
                "`{shown}` is not in {place}"
            );
        }
    }
}

//! What happens at the nodes while a question runs, on standard error: one line per node. On a
//! terminal the lines change in place; elsewhere each change is a line of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use quorate_wire::NodeStatus;

use super::ui;
use crate::client::{Event, NodeProgress};
use crate::problems;
use crate::render::clean;

/// The lines of one question.
pub(crate) struct Progress {
    width: usize,
    seen: BTreeMap<String, NodeStatus>,
    live: Option<Live>,
}

struct Live {
    all: MultiProgress,
    bars: BTreeMap<String, ProgressBar>,
}

impl Progress {
    /// No lines yet.
    pub(crate) fn new() -> Self {
        let live = ui::stderr_is_terminal().then(|| Live {
            all: MultiProgress::new(),
            bars: BTreeMap::new(),
        });
        Self {
            width: 0,
            seen: BTreeMap::new(),
            live,
        }
    }

    /// The nodes the question goes to.
    pub(crate) fn nodes(&mut self, nodes: &[String]) {
        self.width = nodes
            .iter()
            .map(|node| node.chars().count())
            .max()
            .unwrap_or(0);
        for node in nodes {
            self.show(&NodeProgress {
                node: node.clone(),
                status: NodeStatus::Sent,
                code: None,
            });
        }
    }

    /// Something happened.
    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Node(node) => self.show(node),
            Event::Lost { why, again_in } => {
                let seconds = again_in.as_secs_f32();
                self.line(&format!(
                    "{}; trying again in {seconds:.1} s (the question is not lost)",
                    clean(why)
                ));
            }
            Event::Back => self.line("connected again"),
        }
    }

    /// Leaves the last state of every line on the screen.
    fn end(&mut self) {
        if let Some(live) = self.live.take() {
            for bar in live.bars.values().filter(|bar| !bar.is_finished()) {
                bar.abandon();
            }
            if !live.bars.is_empty() {
                // The cursor stands behind the last line.
                ui::say("");
            }
        }
    }

    fn line(&self, text: &str) {
        match &self.live {
            Some(live) => {
                let _ = live.all.println(text);
            }
            None => ui::say(text),
        }
    }

    fn show(&mut self, node: &NodeProgress) {
        let name = clean(&node.node);
        if self.seen.insert(name.clone(), node.status) == Some(node.status) {
            return;
        }
        self.width = self.width.max(name.chars().count());
        let words = format!("{name:<width$}  {}", words(node), width = self.width);
        let Some(live) = &mut self.live else {
            // That a node was asked goes without saying where lines cannot change.
            if node.status != NodeStatus::Sent {
                ui::say(&words);
            }
            return;
        };
        let all = &live.all;
        let bar = live.bars.entry(name).or_insert_with(|| {
            let bar = all.add(ProgressBar::new_spinner());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        let template = match mark(node.status) {
            None => "{spinner} {msg}".to_owned(),
            Some(mark) => format!("{mark} {{msg}}"),
        };
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        if mark(node.status).is_some() {
            bar.finish_with_message(words);
        } else {
            bar.set_message(words);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn mark(status: NodeStatus) -> Option<&'static str> {
    match status {
        NodeStatus::Sent | NodeStatus::Running => None,
        NodeStatus::Answered => Some("✓"),
        NodeStatus::Refused => Some("✗"),
        NodeStatus::Waiting => Some("…"),
        NodeStatus::Late | NodeStatus::Absent => Some("–"),
    }
}

/// How a question stands at a node, in words.
pub(crate) fn words(node: &NodeProgress) -> String {
    let status = node.status.as_str();
    match (node.status, &node.code) {
        (NodeStatus::Refused, Some(code)) => {
            format!("{status}: {} {}", clean(code), problems::sentence(code))
        }
        (NodeStatus::Waiting, _) => format!("{status} for its custodian"),
        (NodeStatus::Late, _) => format!("{status}: did not answer in time"),
        (NodeStatus::Absent, _) => format!("{status}: not connected"),
        _ => status.to_owned(),
    }
}

//! Questions that were asked earlier: `status`, `fetch`, `cancel`, `list`.

use std::path::Path;

use comfy_table::{Table, presets};
use quorate_wire::{QuestionId, QuestionStatus};

use super::args::{FetchArgs, IdArgs, ListArgs};
use super::exit::{Exit, Failure};
use super::progress::{self, Progress};
use super::{clock, query, show, ui};
use crate::client::{Client, Event, Standing};
use crate::journal;
use crate::profile::Profile;
use crate::render::clean;

/// `quorate status ID`
pub(crate) async fn status(home: &Path, args: &IdArgs) -> Result<Exit, Failure> {
    let mut client = super::client(Profile::open(home)?).await?;
    let id = find(&mut client, &args.id).await?;
    let standing = client.status(id).await.map_err(Failure::client)?;
    ui::data(text(&standing).as_bytes());
    Ok(exit(standing.status))
}

/// `quorate cancel ID`
pub(crate) async fn cancel(home: &Path, args: &IdArgs) -> Result<Exit, Failure> {
    let mut client = super::client(Profile::open(home)?).await?;
    let id = find(&mut client, &args.id).await?;
    let standing = client.cancel(id).await.map_err(Failure::client)?;
    ui::data(text(&standing).as_bytes());
    if standing.status == QuestionStatus::Cancelled {
        Ok(Exit::Answered)
    } else {
        Err(Failure::new(
            Exit::Failed,
            format!("too late: the question is {} already", standing.status),
        ))
    }
}

/// `quorate list`
pub(crate) async fn list(home: &Path, args: &ListArgs) -> Result<Exit, Failure> {
    let mut client = super::client(Profile::open(home)?).await?;
    let questions = client.list(args.limit).await.map_err(Failure::client)?;
    if questions.is_empty() {
        ui::say("you have asked nothing yet");
        return Ok(Exit::Answered);
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["id", "asked", "project", "status", "nodes"]);
    for question in &questions {
        let answered = question
            .nodes
            .iter()
            .filter(|node| node.status == quorate_wire::NodeStatus::Answered)
            .count();
        table.add_row([
            question.id.to_string(),
            clock::moment(question.submitted),
            clean(&question.project),
            question.status.to_string(),
            format!("{answered} of {}", question.nodes.len()),
        ]);
    }
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    ui::data(format!("{}\n", lines.join("\n")).as_bytes());
    Ok(Exit::Answered)
}

/// `quorate fetch ID`
pub(crate) async fn fetch(home: &Path, args: &FetchArgs) -> Result<Exit, Failure> {
    show::check(&args.show)?;
    let mut client = super::client(Profile::open(home)?).await?;
    let id = find(&mut client, &args.id).await?;
    let status = client.status(id).await.map_err(Failure::client)?.status;
    if status.is_final() {
        return query::fetched(&mut client, id, &args.show).await;
    }
    if args.wait {
        return query::interruptible(id, wait_and_fetch(&mut client, id, args)).await;
    }
    ui::data(format!("{id}\n").as_bytes());
    ui::say(&format!(
        "no answer yet ({status}); wait for it with: quorate fetch {id} --wait"
    ));
    Ok(Exit::Waiting)
}

async fn wait_and_fetch(
    client: &mut Client,
    id: QuestionId,
    args: &FetchArgs,
) -> Result<Exit, Failure> {
    let mut progress = Progress::new();
    let mut on_event = |event: Event| progress.event(&event);
    let watched = client.watch(id, None, &mut on_event).await;
    drop(progress);
    watched.map_err(Failure::client)?;
    query::fetched(client, id, &args.show).await
}

/// A whole id, or the beginning of one that this machine or this researcher asked.
async fn find(client: &mut Client, start: &str) -> Result<QuestionId, Failure> {
    if let Ok(id) = QuestionId::parse(start) {
        return Ok(id);
    }
    let plain = start.len() >= 4 && start.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if !plain {
        return Err(Failure::usage(format!(
            "`{}` is not a question's id, nor the first four or more characters of one",
            clean(start)
        )));
    }
    let mut found = journal::beginning_with(client.profile(), start);
    if found.is_empty() {
        let mine = client.list(1000).await.map_err(Failure::client)?;
        found = mine
            .into_iter()
            .map(|question| question.id)
            .filter(|id| id.to_string().starts_with(start))
            .collect();
    }
    match found.as_slice() {
        [id] => Ok(*id),
        [] => Err(Failure::new(
            Exit::Failed,
            format!("no question of yours begins with {start}"),
        )),
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(Failure::usage(format!(
                "several questions begin with {start}: {}",
                ids.join(", ")
            )))
        }
    }
}

fn text(standing: &Standing) -> String {
    let mut text = format!(
        "{}  {}  project {}, asked {}\n",
        standing.id,
        standing.status,
        clean(&standing.project),
        clock::moment(standing.submitted)
    );
    let width = standing
        .nodes
        .iter()
        .map(|node| node.node.chars().count())
        .max()
        .unwrap_or(0);
    for node in &standing.nodes {
        let line = format!(
            "  {:<width$}  {}\n",
            clean(&node.node),
            progress::words(node)
        );
        text.push_str(&line);
    }
    text
}

fn exit(status: QuestionStatus) -> Exit {
    match status {
        QuestionStatus::Running | QuestionStatus::Waiting => Exit::Waiting,
        QuestionStatus::Answered => Exit::Answered,
        QuestionStatus::Refused => Exit::Refused,
        QuestionStatus::TooFewNodes => Exit::TooFewNodes,
        QuestionStatus::Failed | QuestionStatus::Cancelled => Exit::Failed,
    }
}

//! `quorate query`: ask, watch, fetch, believe, show.

use std::collections::BTreeSet;
use std::path::Path;

use quorate_identity::{Role, Roster};
use quorate_query::analyses::Request;
use quorate_query::codebook::Codebook;
use quorate_query::problem::Problem;
use quorate_query::question::Params;
use quorate_wire::{QuestionId, QuestionStatus};

use super::args::{AskArgs, CodebookArg, Format, QueryArgs, ShowArgs};
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::{clock, show, text, ui};
use crate::ask::{self, AskError, Asked, Draft};
use crate::client::{Client, ClientError, Event};
use crate::document::{CohortInfo, Document, QuestionInfo, SCHEMA};
use crate::profile::Profile;
use crate::{params, problems, report};

/// Runs the command.
pub(crate) async fn run(home: &Path, args: &QueryArgs) -> Result<Exit, Failure> {
    let (sql, given) = text::question(&args.text)?;
    ask(home, sql.into(), given, &args.ask).await
}

/// Asks for whatever it is, and shows its answer.
pub(crate) async fn ask(
    home: &Path,
    request: Request,
    given: Params,
    args: &AskArgs,
) -> Result<Exit, Failure> {
    show::check(&args.show)?;
    let request = text::of_cohort(request, &args.cohort)?;
    let profile = Profile::open(home)?;
    let key = profile.identity()?;
    let draft = draft(args, &profile, request, given)?;

    let mut client = super::client(profile).await?;
    let codebook = match codebook(&mut client, &args.codebook, &draft).await {
        Ok(Ok(codebook)) => codebook,
        Ok(Err((problem, text))) => return refused(&problem, &text, &args.show),
        Err(failure) => return Err(failure),
    };
    let now = clock::now_millis();
    let roster = client.roster(clock::now()).await.map_err(Failure::client)?;
    known_nodes(&draft, &roster)?;
    let name = client.profile().settings.name.clone();
    let asked = match ask::sign(&draft, name.as_str(), &codebook, &roster, &key, now) {
        Ok(asked) => asked,
        Err(AskError::Refused(problem)) => {
            return refused(&problem, &draft.request.text(&codebook), &args.show);
        }
        Err(AskError::Key(error)) => return Err(error.into()),
    };
    let question = Sent {
        text: draft.request.text(&codebook),
        asked,
        draft,
    };
    interruptible(question.asked.id, to_the_end(&mut client, &question, args)).await
}

/// Whether the nodes that are named can be asked, and are enough.
fn known_nodes(draft: &Draft, roster: &Roster) -> Result<(), Failure> {
    let members = roster.members(clock::now());
    let nodes = members.filter(|member| member.role == Role::Node);
    let nodes: BTreeSet<String> = nodes.map(|node| node.name.to_string()).collect();
    let listed = || nodes.iter().cloned().collect::<Vec<_>>().join(", ");
    if let Some(unknown) = draft.nodes.iter().find(|name| !nodes.contains(*name)) {
        return Err(Failure::usage(format!(
            "the network has no node `{unknown}`; it has {}",
            listed()
        )));
    }
    let asked = match draft.nodes.len() {
        0 => nodes.len(),
        named => named,
    };
    match usize::try_from(draft.min_nodes) {
        Ok(wanted) if wanted <= asked => Ok(()),
        _ => Err(Failure::usage(format!(
            "--min-nodes {} is more than the {asked} that are asked: {}",
            draft.min_nodes,
            match draft.nodes.len() {
                0 => listed(),
                _ => draft.nodes.iter().cloned().collect::<Vec<_>>().join(", "),
            }
        ))),
    }
}

/// A question on its way.
struct Sent {
    asked: Asked,
    draft: Draft,
    /// In the language.
    text: String,
}

/// Sends the question and does what its end asks for.
async fn to_the_end(client: &mut Client, sent: &Sent, args: &AskArgs) -> Result<Exit, Failure> {
    match ask_and_watch(client, &sent.asked, args).await {
        Ok(QuestionStatus::Running | QuestionStatus::Waiting) => waiting(sent, &args.show),
        Ok(_) => fetched(client, sent.asked.id, &args.show).await,
        Err(error) => match error.problem().and_then(quorate_wire::RemoteProblem::known) {
            Some(problem) if Failure::exit_of(&problem) == Exit::Refused => {
                refused(&problem, &sent.text, &args.show)
            }
            _ => Err(Failure::client(error)),
        },
    }
}

/// Lets Ctrl-C end the waiting, not the question.
pub(crate) async fn interruptible(
    id: QuestionId,
    work: impl Future<Output = Result<Exit, Failure>>,
) -> Result<Exit, Failure> {
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Ok(interrupted(id)),
    }
}

fn draft(
    args: &AskArgs,
    profile: &Profile,
    request: Request,
    given: Params,
) -> Result<Draft, Failure> {
    let project = args
        .project
        .clone()
        .or_else(|| profile.settings.project.clone());
    let project = project.ok_or_else(|| {
        Failure::usage("under which project? Name it with --project P, or write `project = \"P\"` in config.toml")
    })?;
    let mut nodes = std::collections::BTreeSet::new();
    for node in &args.nodes {
        let name = quorate_identity::Name::parse(node.trim());
        nodes.insert(
            name.map_err(|error| Failure::usage(error.to_string()))?
                .to_string(),
        );
    }
    Ok(Draft {
        request,
        params: given,
        project,
        purpose: args.purpose.clone(),
        nodes,
        min_nodes: args.min_nodes,
    })
}

/// The codebook to ask against, or the refusal. A text that the newest known codebook refuses is
/// refused even without the network; one that the cache refuses may be fine with a newer one.
async fn codebook(
    client: &mut Client,
    wanted: &CodebookArg,
    draft: &Draft,
) -> Result<Result<Codebook, (Problem, String)>, Failure> {
    let wanted = wanted.codebook.as_deref();
    let home = client.profile().home().to_owned();
    if wanted.is_some_and(|wanted| Path::new(wanted).is_file()) {
        return Ok(Ok(text::choose_codebook(&home, wanted)?));
    }
    match client.catalogue().await {
        Ok(_) => Ok(Ok(text::choose_codebook(&home, wanted)?)),
        Err(error) => {
            let cached = text::choose_codebook(&home, wanted);
            let refusal = cached.ok().and_then(|codebook| {
                let problem = ask::read(&draft.request, &draft.params, &codebook).err()?;
                Some((problem, draft.request.text(&codebook)))
            });
            refusal.map_or(Err(Failure::client(error)), |refusal| Ok(Err(refusal)))
        }
    }
}

async fn ask_and_watch(
    client: &mut Client,
    asked: &Asked,
    args: &AskArgs,
) -> Result<QuestionStatus, ClientError> {
    let mut progress = Progress::new();
    let mut on_event = |event: Event| progress.event(&event);
    let nodes = client.submit(asked, clock::now(), &mut on_event).await?;
    if args.no_wait {
        return Ok(QuestionStatus::Running);
    }
    ui::say(&format!("question {}", asked.id));
    progress.nodes(&nodes);
    let mut on_event = |event: Event| progress.event(&event);
    let impatient = (!args.wait).then_some(nodes.as_slice());
    client.watch(asked.id, impatient, &mut on_event).await
}

/// Gets, believes and shows a result.
pub(crate) async fn fetched(
    client: &mut Client,
    id: QuestionId,
    args: &ShowArgs,
) -> Result<Exit, Failure> {
    let verified = client
        .fetch(id, clock::now())
        .await
        .map_err(Failure::client)?;
    show::result(&report::document(&verified, args.by_site), args)?;
    show::picture(&report::document(&verified, true), args)?;
    Ok(match verified.status() {
        QuestionStatus::Answered => Exit::Answered,
        QuestionStatus::Refused => Exit::Refused,
        QuestionStatus::TooFewNodes => Exit::TooFewNodes,
        QuestionStatus::Running | QuestionStatus::Waiting => Exit::Waiting,
        QuestionStatus::Failed | QuestionStatus::Cancelled => Exit::Failed,
    })
}

/// Shows a refusal: to people on standard error, to programs that asked for JSON also as data.
fn refused(problem: &Problem, sql: &str, args: &ShowArgs) -> Result<Exit, Failure> {
    if show::format(args) == Format::Json {
        let document = Document {
            schema: SCHEMA.to_owned(),
            status: "refused".to_owned(),
            problem: Some(problems::info(problem)),
            ..Document::default()
        };
        show::result(&document, args)?;
    }
    ui::say(problems::explain(problem, sql).trim_end());
    Ok(Exit::Refused)
}

/// The answer is not there yet: the id is the data.
fn waiting(sent: &Sent, args: &ShowArgs) -> Result<Exit, Failure> {
    let Sent { asked, draft, text } = sent;
    let id = asked.id.to_string();
    if show::format(args) == Format::Json {
        let values = draft.params.iter();
        let question = QuestionInfo {
            id: id.clone(),
            hash: quorate_identity::digest_text(&asked.meaning.digest()),
            project: draft.project.clone(),
            purpose: draft.purpose.clone(),
            text: text.clone(),
            params: values
                .map(|(name, value)| (name.clone(), params::to_json(value)))
                .collect(),
            codebook: asked.meaning.codebook.clone(),
            cohort: draft.request.cohort().map(CohortInfo::of),
            ..QuestionInfo::default()
        };
        let document = Document {
            schema: SCHEMA.to_owned(),
            status: "waiting".to_owned(),
            question: Some(question),
            ..Document::default()
        };
        show::result(&document, args)?;
    } else {
        ui::data(format!("{id}\n").as_bytes());
    }
    ui::say(&format!(
        "recorded; later: quorate status {id}, quorate fetch {id}"
    ));
    Ok(Exit::Waiting)
}

/// Ctrl-C: the question goes on without us.
fn interrupted(id: QuestionId) -> Exit {
    ui::data(format!("{id}\n").as_bytes());
    ui::say(&format!(
        "You stopped waiting; the question goes on without you.\n\
         \x20 how far it is:  quorate status {id}\n\
         \x20 its answer:     quorate fetch {id} --wait\n\
         \x20 withdraw it:    quorate cancel {id}"
    ));
    Exit::Waiting
}

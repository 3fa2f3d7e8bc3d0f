//! `quorate analyse NAME`: one subcommand per analysis of the language, its options from the list of
//! its arguments. Asking and showing are those of `query`.

use std::collections::BTreeMap;
use std::path::Path;

use clap::error::{Error, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use quorate_query::analyses::{ALL, Analysis, Argument, Definition, Need, Request};

use super::args::{AskArgs, Format, ParamArgs};
use super::exit::{Exit, Failure};
use super::{check, query, show, text};

/// `analyse`
#[derive(Debug)]
pub(crate) struct AnalyseArgs {
    name: String,
    arguments: BTreeMap<String, String>,
    params: ParamArgs,
    ask: AskArgs,
    /// Only say what it comes to.
    check: bool,
    /// And what could withhold its cells.
    disclosure: bool,
}

/// Runs the command.
pub(crate) async fn run(home: &Path, args: &AnalyseArgs) -> Result<Exit, Failure> {
    let given = text::params(&args.params)?;
    let mut arguments = args.arguments.clone();
    for value in arguments.values_mut() {
        if let Some(path) = value.strip_prefix('@') {
            *value = pairs(&text::read_file(Path::new(path))?);
        }
    }
    let analysis = Analysis::named(&args.name, arguments)
        .ok_or_else(|| Failure::usage(format!("there is no analysis `{}`", args.name)))?;
    let request = Request::Analysis(analysis);
    if args.check || args.disclosure {
        let how = check::How {
            codebook: args.ask.codebook.codebook.as_deref(),
            disclosure: args.disclosure,
            as_json: show::format(&args.ask.show) == Format::Json,
        };
        let request = text::of_cohort(request, &args.ask.cohort)?;
        return check::explained(home, &request, &given, &how);
    }
    query::ask(home, request, given, &args.ask).await
}

fn flag(name: &'static str, about: &'static str) -> Arg {
    let arg = Arg::new(name).long(name).help(about);
    arg.action(ArgAction::SetTrue)
}

/// A file of lines `level=number` or `level,number` as the list that is signed.
fn pairs(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pair = |line: &str| match line.rsplit_once(['=', ',', ';']) {
        Some((level, number)) => format!("{}={}", level.trim(), number.trim()),
        None => line.to_owned(),
    };
    lines.map(pair).collect::<Vec<_>>().join(",")
}

fn option(argument: &Argument) -> Arg {
    Arg::new(argument.name)
        .long(argument.name)
        .value_name(argument.value)
        .help(argument.about)
        .required(argument.need == Need::Always)
}

fn subcommand(definition: &'static Definition) -> Command {
    let command = Command::new(definition.name)
        .args(definition.arguments.iter().map(option))
        .arg(flag(
            "check",
            "Ask nobody: show every table that it comes to and what would leave a node",
        ))
        .arg(flag(
            "disclosure",
            "As --check, and what could withhold cells and what to ask instead",
        ));
    // The flattened options bring descriptions of their own.
    AskArgs::augment_args(ParamArgs::augment_args(command))
        .about(definition.about)
        .long_about(None)
}

impl Args for AnalyseArgs {
    fn augment_args(command: Command) -> Command {
        command
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommands(ALL.iter().map(subcommand))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for AnalyseArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let (name, matches) = matches
            .subcommand()
            .ok_or_else(|| Error::new(ErrorKind::MissingSubcommand))?;
        let definition = ALL.iter().find(|known| known.name == name);
        let known = definition.map_or(&[][..], |definition| definition.arguments);
        let given = known.iter().filter_map(|argument| {
            let value = matches.get_one::<String>(argument.name)?;
            Some((argument.name.to_owned(), value.clone()))
        });
        Ok(Self {
            name: name.to_owned(),
            arguments: given.collect(),
            params: ParamArgs::from_arg_matches(matches)?,
            ask: AskArgs::from_arg_matches(matches)?,
            check: matches.get_flag("check"),
            disclosure: matches.get_flag("disclosure"),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::pairs;

    #[test]
    fn a_file_of_weights_is_the_list_that_is_signed() {
        let text = "# persons\n0,4000\n10 = 3000\n\n20;1.5\n";
        assert_eq!(pairs(text), "0=4000,10=3000,20=1.5");
        assert_eq!(pairs("level\n"), "level");
    }
}

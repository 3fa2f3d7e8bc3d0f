//! `quorate login`: join a network, and say plainly what still has to be compared out of band.

use std::path::Path;

use quorate_identity::KeyId;

use super::args::LoginArgs;
use super::exit::{Exit, Failure};
use super::{clock, ui};
use crate::login::{Joined, Pinned, Wish, login};
use crate::profile::identity_or_new;

/// Runs the command.
pub(crate) async fn run(home: &Path, args: &LoginArgs) -> Result<Exit, Failure> {
    let Some(token) = &args.token else {
        return own_key(home);
    };
    let genesis = args
        .genesis
        .iter()
        .map(|text| KeyId::parse(text).map_err(|error| Failure::usage(error.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    let wish = Wish {
        name: args.name.clone(),
        genesis,
        project: args.project.clone(),
    };
    let joined = login(home, token, wish, clock::now())
        .await
        .map_err(Failure::login)?;
    report(&joined);
    Ok(Exit::Answered)
}

/// Without a token: the key that custodians need before there can be one.
fn own_key(home: &Path) -> Result<Exit, Failure> {
    let key = identity_or_new(home)?;
    ui::data(format!("{}\n", key.key_id()).as_bytes());
    ui::say(
        "This is your key. Send it, with the name you want, to a custodian of your network: it has to\n\
         stand in the roster and in the projects you ask for. Then: quorate login TOKEN",
    );
    Ok(Exit::Answered)
}

fn report(joined: &Joined) {
    let settings = &joined.profile.settings;
    ui::say(&format!(
        "{} in the network {}, coordinator {}\n  key          {}\n  certificate  until {}, renewed by itself\n  profile      {}",
        settings.name,
        settings.network,
        settings.coordinator,
        joined.key,
        clock::moment(joined.until),
        joined.profile.home().display()
    ));
    let keys: Vec<String> = settings
        .genesis
        .iter()
        .map(|key| format!("    {key}"))
        .collect();
    let keys = keys.join("\n");
    match joined.pinned {
        Pinned::ByPerson => ui::say(&format!("  founders     pinned as you gave them\n{keys}")),
        Pinned::FromToken | Pinned::FromRoster => {
            let origin = if joined.pinned == Pinned::FromToken {
                "the operator's token"
            } else {
                "the coordinator"
            };
            ui::say(&format!(
                "\nCOMPARE: everything you verify from now on rests on these keys of the founding custodians,\n\
                 and so far only {origin} vouches for them. Compare them with what the custodians told you:\n{keys}\n\
                 If one differs, delete this profile and tell the custodians."
            ));
        }
    }
    if let Some(missing) = &joined.missing {
        ui::say(&format!(
            "\nYou cannot ask yet: {missing}.\nSend your key to a custodian of the network:\n    {} {}",
            settings.name, joined.key
        ));
    }
}

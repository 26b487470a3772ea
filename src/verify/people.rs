//! People: who counts, for which role, and once.
//!
//! In: names in other places (`github:alice`) and trust's people. Out: people by their name in
//! trust, and how many names map to nobody. Aliases are compared exactly, case included, but for those of
//! forges that tell no accounts apart by it: a name that trust writes otherwise maps to nobody, which
//! denies. They serve separation of duties, and say whom a signer means who passes on an approval that was
//! given elsewhere (`approvals.rs`).

use std::collections::BTreeSet;

use crate::evidence::predicate::source::Alias;
use crate::trust::Person;

/// Who some names are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Identified {
    /// People, by name in trust.
    pub(super) people: BTreeSet<String>,
    /// Names that map to nobody, each once.
    pub(super) unknown: BTreeSet<Alias>,
}

/// Maps every name to the people whose alias it is. Two people under one alias are both meant.
pub(super) fn identify<'a>(aliases: impl IntoIterator<Item = &'a Alias>, people: &[Person]) -> Identified {
    let mut identified = Identified::default();
    for alias in aliases {
        let mut found = people.iter().filter(|person| is(person, alias)).peekable();
        if found.peek().is_none() {
            identified.unknown.insert(alias.clone());
        }
        identified.people.extend(found.map(|person| person.name.clone()));
    }
    identified
}

/// Forges whose accounts have one name however it is written: nobody becomes somebody else by capitals.
const CASELESS: [&str; 2] = ["github", "gitlab"];

fn is(person: &Person, alias: &Alias) -> bool {
    person.aliases.get(&alias.scheme).is_some_and(|own| match CASELESS.contains(&alias.scheme.as_str()) {
        true => own.eq_ignore_ascii_case(&alias.name),
        false => *own == alias.name,
    })
}

/// The roles in which a record of this person counts: all of them, sorted, or the one that it
/// narrows to. `None`: it narrows to one that the person doesn't have.
pub(super) fn roles(person: &Person, narrowed_to: Option<&str>) -> Option<Vec<String>> {
    let all: BTreeSet<&String> = person.roles.iter().collect();
    match narrowed_to {
        None => Some(all.into_iter().cloned().collect()),
        Some(role) => all.into_iter().find(|it| *it == role).map(|it| vec![it.clone()]),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in crate::verify) fn person(name: &str, roles: &[&str]) -> Person {
        Person {
            name: name.to_owned(),
            roles: roles.iter().map(|it| (*it).to_owned()).collect(),
            aliases: [("github".to_owned(), format!("{name}-gh"))].into(),
            identities: Vec::new(),
        }
    }

    pub(in crate::verify) fn alias(text: &str) -> Alias {
        Alias::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn maps_exact_aliases_to_people_and_counts_the_rest() {
        let people = [person("alice", &[]), person("bob", &[])];
        let names =
            ["github:alice-gh", "github:alice-gh", "mail:alice-gh", "github:alice", "github:alice-gh2"];
        let found = identify(&names.map(alias), &people);
        assert_eq!(found.people, ["alice".to_owned()].into());
        assert_eq!(found.unknown.len(), 3);
    }

    #[test]
    fn an_account_is_the_same_in_capitals_where_its_forge_says_so() {
        let mut alice = person("alice", &[]);
        alice.aliases.insert("ldap".to_owned(), "alice".to_owned());
        let found = identify(&["github:Alice-GH", "ldap:Alice"].map(alias), &[alice]);
        assert_eq!(found.people, ["alice".to_owned()].into());
        assert_eq!(found.unknown, [alias("ldap:Alice")].into());
    }

    #[test]
    fn a_role_narrows_and_never_grants() {
        let person = person("alice", &["sre", "release-manager"]);
        assert_eq!(roles(&person, None).unwrap(), ["release-manager", "sre"]);
        assert_eq!(roles(&person, Some("sre")).unwrap(), ["sre"]);
        assert_eq!(roles(&person, Some("security")), None);
        assert_eq!(roles(&person, Some("")), None);
    }

    proptest! {
        #[test]
        fn every_name_is_somebody_or_unknown(names in proptest::collection::vec("[ab](-gh)?", 0..12)) {
            let people = [person("a", &[])];
            let aliases: Vec<Alias> = names.iter().map(|it| alias(&format!("github:{it}"))).collect();
            let found = identify(&aliases, &people);
            let distinct: BTreeSet<&String> = names.iter().collect();
            // One alias per person here, so each distinct name lands on exactly one side.
            prop_assert_eq!(found.people.len() + found.unknown.len(), distinct.len());
            prop_assert_eq!(found.people.contains("a"), names.iter().any(|it| it == "a-gh"));
        }
    }
}

//! Definitions as somebody writes them, as a text or in a form: what both
//! begin with, and the one way in which both are tried out and stored.

use policy::Document;
use types::definition::{
    AuthenticationAction, DnsAuthenticationDefinition, GeographicalAction, GeographicalDefinition,
    ListQuestion, LocalReputation, ReputationDefinition,
};
use types::{Caller, Definition, DefinitionSet, DmarcResult, Permission, PolicyType, SpfResult};

use crate::races::until_settled;
use crate::replay::{ReplayChange, ReplayReport, ReplayRequest};
use crate::versions::unreadable;
use crate::{Center, CenterError, ChangeResult, Problem, permit};

/// A definition as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenDefinition {
    /// What was written.
    pub definition: Definition,
    /// The version of the definition that was looked at; nothing for a new
    /// one, which then must not be there yet.
    pub looked_at: Option<u64>,
}

/// What of the settings matters to whoever writes a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefinitionGround {
    /// The lists of the settings, by name; a definition can name any other
    /// zone too.
    pub lists: Vec<ListQuestion>,
    /// The scores that count where a definition names none.
    pub local: LocalReputation,
}

/// Reads a definition from its text: the only `[[definition]]` of a policy
/// document that holds nothing else.
///
/// # Errors
///
/// [`CenterError::Invalid`] with the line of the mistake.
pub fn read_definition(text: &str) -> Result<Definition, CenterError> {
    Document::parse_definition(text).map_err(unreadable)
}

/// A definition as the text that [`read_definition`] reads back.
///
/// # Errors
///
/// A number in it that the document does not have.
pub fn definition_text(definition: &Definition) -> Result<String, CenterError> {
    let definitions = vec![definition.clone()];
    let document = Document { definitions, ..Document::default() };
    document.to_text().map_err(|error| CenterError::invalid(error.to_string()))
}

/// A definition of a type to begin with, without a name; nothing for a type
/// that has none. That of DNS Authentication says what a new installation
/// does.
pub fn blank_definition(kind: PolicyType) -> Option<Definition> {
    let set = match kind {
        PolicyType::Reputation => DefinitionSet::Reputation(ReputationDefinition::default()),
        PolicyType::GeographicalRestriction => {
            DefinitionSet::GeographicalRestriction(GeographicalDefinition {
                action: GeographicalAction::Hold,
                countries: Vec::new(),
                networks: Vec::new(),
            })
        }
        PolicyType::DnsAuthentication => {
            DefinitionSet::DnsAuthentication(DnsAuthenticationDefinition {
                spf: [(SpfResult::Fail, AuthenticationAction::IgnorePermitted)].into(),
                dmarc: [(DmarcResult::Fail, AuthenticationAction::HonourRecord)].into(),
                ..DnsAuthenticationDefinition::default()
            })
        }
        _ => return None,
    };
    Some(Definition { name: String::new(), narrative: String::new(), set })
}

/// What a definition of a type can look like, to begin with; nothing for a
/// type that has none.
pub fn definition_example(kind: PolicyType) -> Option<&'static str> {
    EXAMPLES.iter().find(|(of, _)| *of == kind).map(|(_, text)| *text)
}

const EXAMPLES: &[(PolicyType, &str)] = &[
    (
        PolicyType::Reputation,
        r#"[[definition]]
name = "Block lists"
narrative = ""

[definition.set.reputation]
reject_weight = 1
lists = [
    { list = "bl.example.net", weight = 1 },
]
# Whether clients on a list with `permitted = true` in the settings are spared
# all of this.
global_permitted_list = true
"#,
    ),
    (
        PolicyType::GeographicalRestriction,
        r#"[[definition]]
name = "Places"
narrative = ""

[definition.set.geographical_restriction]
action = "hold"
countries = ["XX"]
networks = []
"#,
    ),
    (
        PolicyType::DnsAuthentication,
        r#"[[definition]]
name = "Sender authentication"
narrative = ""

[definition.set.dns_authentication]
spf = { fail = "ignore_permitted" }
dmarc = { fail = "honour_record" }
"#,
    ),
];

impl Center {
    /// What of the settings matters to whoever writes a definition.
    ///
    /// # Errors
    ///
    /// Only a caller without permission.
    pub fn definition_ground(&self, caller: &Caller) -> Result<DefinitionGround, CenterError> {
        permit(caller, Permission::SeePolicies)?;
        let base = self.parts.activator.base();
        Ok(DefinitionGround { lists: base.lists, local: base.reputation })
    }

    /// Stores what somebody wrote: the definition `of` this name as it was
    /// looked at, or a new one.
    ///
    /// # Errors
    ///
    /// Another name than the one that was opened; [`CenterError::Invalid`] if
    /// it was changed since, or is there already; as [`Center::put_policy`].
    pub fn put_written_definition(
        &self,
        caller: &Caller,
        of: Option<&str>,
        wanted: &WrittenDefinition,
        note: &str,
    ) -> Result<ChangeResult, CenterError> {
        permit(caller, Permission::EditPolicies)?;
        let WrittenDefinition { definition, looked_at } = wanted;
        if let Some(of) = of.filter(|of| *of != definition.name) {
            return Err(of_name(format!(
                "it has the name {:?} and not {of:?}; policies refer to it by its name, so save it \
                 as a new one and change them",
                definition.name
            )));
        }
        // What happens to other objects meanwhile is no conflict.
        until_settled(|| {
            let version = self.parts.policies.version()?;
            let stored = self.parts.policies.definition(&definition.name)?;
            let found = stored.map(|stored| stored.provenance.version);
            match (found, looked_at) {
                (Some(found), Some(seen)) if found != *seen => {
                    return Err(CenterError::invalid(format!(
                        "it was changed in version {found}, while the form was open; nothing is \
                         overwritten. Open it again and make your change there"
                    )));
                }
                (Some(_), None) => {
                    let text = format!("there is a definition {:?} already", definition.name);
                    return Err(of_name(text));
                }
                _ => {}
            }
            self.put_definition(caller, definition.clone(), Some(version), note)
        })
    }

    /// What a definition as somebody wrote it would have done to the mail of
    /// the last seven days.
    ///
    /// # Errors
    ///
    /// As [`Center::replay`].
    pub fn replay_definition(
        &self,
        caller: &Caller,
        definition: Definition,
    ) -> Result<ReplayReport, CenterError> {
        let change = ReplayChange::Definition(Box::new(definition));
        self.replay(caller, &ReplayRequest { change, ..ReplayRequest::default() })
    }
}

/// Something wrong with the name.
fn of_name(message: String) -> CenterError {
    CenterError::Invalid { problems: vec![Problem::of_field("name", message)] }
}

#[cfg(test)]
mod tests {
    use types::Caller;

    use super::*;
    use crate::tests::{Gateway, at};

    fn root() -> Caller {
        Caller::with_all("root")
    }

    fn strict(name: &str, action: AuthenticationAction) -> Definition {
        let set = DnsAuthenticationDefinition {
            dkim: [(types::DkimResult::Fail, action)].into(),
            ..DnsAuthenticationDefinition::default()
        };
        let set = DefinitionSet::DnsAuthentication(set);
        Definition { name: name.to_owned(), narrative: String::new(), set }
    }

    #[test]
    fn what_to_begin_with_is_of_its_type_in_a_form_and_as_a_text() {
        for (kind, example) in EXAMPLES {
            assert_eq!(read_definition(example).unwrap().kind(), *kind, "{example}");
            let blank = blank_definition(*kind).unwrap();
            assert_eq!(blank.kind(), *kind);
            assert_eq!(read_definition(&definition_text(&blank).unwrap()).unwrap(), blank);
        }
        for kind in PolicyType::ALL {
            let has_text = definition_example(*kind).is_some();
            assert_eq!(blank_definition(*kind).is_some(), has_text, "{}", kind.slug());
        }
    }

    #[test]
    fn what_is_written_is_stored_as_it_was_looked_at_under_its_own_name() {
        let gateway = Gateway::new(at(60));
        let center = &gateway.center;
        center
            .put_definition(&root(), strict("strict", AuthenticationAction::Hold), None, "")
            .unwrap();
        let of = Some("strict");
        let put = |definition: Definition, looked_at: Option<u64>| {
            let wanted = WrittenDefinition { definition, looked_at };
            center.put_written_definition(&root(), of, &wanted, "")
        };
        let seen = center.definition(&root(), "strict").unwrap().provenance.version;
        let reject = strict("strict", AuthenticationAction::Reject);
        let stored = put(reject, Some(seen)).unwrap();
        assert_eq!(stored.differences.len(), 1);
        let hold = strict("strict", AuthenticationAction::Hold);
        let late = put(hold.clone(), Some(seen)).unwrap_err().to_string();
        assert!(late.contains("nothing is overwritten"), "{late}");
        let field = |error: CenterError| match error {
            CenterError::Invalid { problems } => {
                (problems[0].field.clone(), problems[0].message.clone())
            }
            other => panic!("{other}"),
        };
        let (of_field, twice) = field(put(hold.clone(), None).unwrap_err());
        assert!(of_field.as_deref() == Some("name") && twice.contains("already"), "{twice}");
        let other = strict("other", AuthenticationAction::Hold);
        let (of_field, renamed) = field(put(other, Some(seen)).unwrap_err());
        assert!(
            of_field.as_deref() == Some("name") && renamed.contains("by its name"),
            "{renamed}"
        );
        let report = center.replay_definition(&root(), hold.clone()).unwrap();
        assert_eq!((report.attempts, report.differences.len()), (0, 1));
        let reader = Caller::read_only("reader");
        let wanted = WrittenDefinition { definition: hold, looked_at: Some(seen) };
        let denied = center.put_written_definition(&reader, of, &wanted, "");
        assert!(matches!(denied, Err(CenterError::Denied { .. })), "{denied:?}");
    }

    #[test]
    fn a_mistake_in_a_text_has_its_line_and_one_in_a_definition_its_field() {
        let broken = read_definition("[[definition]]\nname = 5").unwrap_err();
        let CenterError::Invalid { problems } = broken else { panic!("{broken:?}") };
        assert_eq!(problems[0].line, Some(2));
        let gateway = Gateway::new(at(60));
        let check = |text: &str, expected: &[&str]| {
            let text = format!("[[definition]]\nname = \"x\"\n[definition.set.{text}");
            let definition = read_definition(&text).unwrap();
            let wanted = WrittenDefinition { definition, looked_at: None };
            let error = gateway.center.put_written_definition(&root(), None, &wanted, "");
            let Err(CenterError::Invalid { problems }) = error else { panic!("{text}: {error:?}") };
            let fields: Vec<_> = problems.iter().filter_map(|one| one.field.as_deref()).collect();
            assert_eq!(fields, expected, "{text}");
        };
        check(
            "dns_authentication]\nspf = { pass = \"hold\", fail = \"defer\" }",
            &["spf.pass", "spf.fail"],
        );
        check("dns_authentication]\ndkim = { fail = \"honour_record\" }", &["dkim.fail"]);
        check("geographical_restriction]\naction = \"hold\"", &["countries"]);
        check("geographical_restriction]\naction = \"hold\"\ncountries = [\"ZZ\"]", &["countries"]);
        check("reputation]\nreject_weight = 0", &["reject_weight"]);
        check("reputation]\nlocal = { reject_score = 101 }", &["local.reject_score"]);
        check(
            "reputation]\nlists = [{ list = \"a.example\" }, { list = \"b.example\", weight = 0 }, \
             { list = \"c.example\", weight = 1001 }]",
            &["lists.2.weight", "lists.3.weight"],
        );
    }
}

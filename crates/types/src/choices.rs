//! What a policy of each type can be set to: the choices of an editor, and
//! the options that the documentation names.

use crate::definition::DefinitionChoice;
use crate::policy::{
    AntiSpoofingOption, AutoAllowCreationOption, AutoAllowOption, BlockOption, ClientIdentity,
    ExpectedMailOption, GreylistOption, PermitOption, PolicyOption, PolicyType,
    RecipientValidation, SecureReceiptOption,
};

/// Stands for the name of a definition where any can be given.
pub const ANY_DEFINITION: &str = "NAME";

/// Every option of a type; of numbers an example, of definitions
/// [`ANY_DEFINITION`]. None where the type is no policy.
pub fn choices(kind: PolicyType) -> Vec<PolicyOption> {
    match kind {
        PolicyType::PermittedSenders => [PermitOption::Permit, PermitOption::NoAction]
            .map(PolicyOption::PermittedSenders)
            .to_vec(),
        PolicyType::BlockedSenders => {
            [BlockOption::Block, BlockOption::NoAction].map(PolicyOption::BlockedSenders).to_vec()
        }
        PolicyType::AutoAllow => [AutoAllowOption::Apply, AutoAllowOption::NoAction]
            .map(PolicyOption::AutoAllow)
            .to_vec(),
        PolicyType::AutoAllowCreation => {
            [AutoAllowCreationOption::Create, AutoAllowCreationOption::DoNotCreate]
                .map(PolicyOption::AutoAllowCreation)
                .to_vec()
        }
        PolicyType::Greylisting => [
            GreylistOption::Apply(ClientIdentity::Network),
            GreylistOption::Apply(ClientIdentity::Pool),
            GreylistOption::Apply(ClientIdentity::Address),
            GreylistOption::ApplyToStrangers(ClientIdentity::Network),
            GreylistOption::ApplyToStrangers(ClientIdentity::Pool),
            GreylistOption::ApplyToStrangers(ClientIdentity::Address),
            GreylistOption::NoAction,
        ]
        .map(PolicyOption::Greylisting)
        .to_vec(),
        PolicyType::ExpectedMail => {
            [ExpectedMailOption::PassWhenAuthenticated, ExpectedMailOption::NoAction]
                .map(PolicyOption::ExpectedMail)
                .to_vec()
        }
        PolicyType::AntiSpoofing => [
            AntiSpoofingOption::PassWhenAuthenticated,
            AntiSpoofingOption::Apply,
            AntiSpoofingOption::NoAction,
        ]
        .map(PolicyOption::AntiSpoofing)
        .to_vec(),
        PolicyType::DnsAuthentication => {
            by_definition().map(PolicyOption::DnsAuthentication).to_vec()
        }
        PolicyType::EmailSizeLimits => vec![PolicyOption::EmailSizeLimits(25_000_000)],
        PolicyType::RecipientValidation => [
            RecipientValidation::AcceptAll,
            RecipientValidation::Directory,
            RecipientValidation::Known,
            RecipientValidation::CallForward,
            RecipientValidation::CallForwardNull,
        ]
        .map(PolicyOption::RecipientValidation)
        .to_vec(),
        PolicyType::SecureReceipt => {
            use SecureReceiptOption::{Opportunistic, RequireTls, RequireVerified};
            [RequireTls, RequireVerified, Opportunistic].map(PolicyOption::SecureReceipt).to_vec()
        }
        PolicyType::Reputation => by_definition().map(PolicyOption::Reputation).to_vec(),
        PolicyType::GeographicalRestriction => {
            by_definition().map(PolicyOption::GeographicalRestriction).to_vec()
        }
        PolicyType::ManagedSenders => Vec::new(),
    }
}

/// The options of a type that has definitions.
fn by_definition() -> [DefinitionChoice; 2] {
    [DefinitionChoice::Apply(ANY_DEFINITION.to_owned()), DefinitionChoice::NoAction]
}

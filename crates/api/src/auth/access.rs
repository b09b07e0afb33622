//! The one table of who may ask for what: every route of every door. A route
//! that is not here is refused, so none can be forgotten; tests walk it.

use axum::http::Method;
use types::Permission;

/// Who may ask for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody, without a sign-in.
    Public,
    /// Everybody; what is sent must come from our own page all the same.
    Entrance,
    /// Whoever is signed in; the page is about themselves.
    SignedIn,
    /// Whoever has this permission.
    Needs(Permission),
    /// Whoever has one of these permissions; what exactly they may is looked
    /// at where it is done.
    NeedsAny(&'static [Permission]),
}

impl Access {
    /// The permissions of which one is enough; empty where none is asked for.
    pub(crate) fn permissions(self) -> Vec<Permission> {
        match self {
            Access::Public | Access::Entrance | Access::SignedIn => Vec::new(),
            Access::Needs(permission) => vec![permission],
            Access::NeedsAny(permissions) => permissions.to_vec(),
        }
    }
}

/// One route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// `GET` stands for `HEAD` as well.
    pub(crate) method: Method,
    /// The pattern, as it is registered.
    pub(crate) path: &'static str,
    /// Who may ask.
    pub(crate) access: Access,
}

macro_rules! routes {
    ($($method:ident $path:literal $access:expr;)*) => {
        /// Every route.
        pub(crate) const ROUTES: &[Route] =
            &[$(Route { method: Method::$method, path: $path, access: $access }),*];
    };
}

use Access::{Entrance, Needs, NeedsAny, Public, SignedIn};
use Permission::{
    AnswerRequests, DailyLogs, EditLists, EditPolicies, EditSenders, ExportMetadata,
    ManageAccounts, ManageTokens, QueueActions, ReleaseDangerous, ReleaseHarmless, SeeAudit,
    SeeGreylist, SeeMetadata, SeePolicies, SeeQueue, SeeSenders, SteerGreylist, SystemStatus,
};

/// Whoever may let in one sender, or any.
const LETS_IN: Access = NeedsAny(&[EditSenders, SteerGreylist]);
/// Whoever may do something with a queued message.
const ON_QUEUE: Access = NeedsAny(&[QueueActions, ReleaseHarmless, ReleaseDangerous]);
/// Whoever sees a part of what a version changed.
const SEES_CHANGES: Access = NeedsAny(&[SeePolicies, SeeSenders]);
/// Whoever may change a part of the policy set.
const UNDOES: Access = NeedsAny(&[EditPolicies, EditLists, EditSenders]);

routes! {
    // Health, and what a page loads.
    GET "/healthz" Public;
    GET "/readyz" Public;
    GET "/status" Needs(SystemStatus);
    GET "/assets/{version}/{name}" Public;
    // Pages.
    GET "/" Needs(SeeMetadata);
    GET "/messages" Needs(SeeMetadata);
    GET "/messages/figures" Needs(SeeMetadata);
    GET "/messages/complete" Needs(SeeMetadata);
    GET "/messages/newer" Needs(SeeMetadata);
    GET "/messages/chosen" Needs(SeeMetadata);
    GET "/messages/live" Needs(SeeMetadata);
    GET "/messages/bulk" Needs(EditPolicies);
    POST "/messages/bulk" Needs(EditPolicies);
    GET "/messages/bulk/{number}" Needs(EditPolicies);
    POST "/messages/bulk/{number}/cancel" Needs(EditPolicies);
    GET "/messages/queue" ON_QUEUE;
    POST "/messages/queue" ON_QUEUE;
    GET "/messages/{name}" Needs(SeeMetadata);
    GET "/messages/{name}/life" Needs(SeeMetadata);
    GET "/messages/{name}/verdict" Needs(SeeMetadata);
    GET "/messages/{name}/raw" Needs(SeeMetadata);
    GET "/messages/{name}/permit" Needs(EditSenders);
    POST "/messages/{name}/permit" Needs(EditSenders);
    GET "/messages/{name}/block" Needs(EditSenders);
    POST "/messages/{name}/block" Needs(EditSenders);
    POST "/messages/{name}/let-in" LETS_IN;
    GET "/senders" Needs(SeeSenders);
    GET "/senders/new" Needs(EditSenders);
    POST "/senders/new" Needs(EditSenders);
    GET "/senders/import" Needs(EditLists);
    POST "/senders/import" Needs(EditLists);
    GET "/senders/auto" Needs(SeeSenders);
    POST "/senders/auto/forget" Needs(EditSenders);
    POST "/senders/auto/import" Needs(EditLists);
    GET "/senders/{number}" Needs(EditSenders);
    POST "/senders/{number}" Needs(EditSenders);
    POST "/senders/{number}/remove" Needs(EditSenders);
    GET "/expecting" Needs(SeeSenders);
    POST "/expecting" Needs(EditSenders);
    POST "/expecting/{number}/end" Needs(EditSenders);
    GET "/groups" Needs(SeePolicies);
    POST "/groups" Needs(EditLists);
    GET "/groups/{name}" Needs(SeePolicies);
    POST "/groups/{name}/paste" Needs(EditLists);
    POST "/groups/{name}/members" Needs(EditLists);
    POST "/groups/{name}/move" Needs(EditLists);
    POST "/groups/{name}/remove" Needs(EditLists);
    GET "/groups/{name}/export" Needs(SeePolicies);
    GET "/definitions" Needs(SeePolicies);
    GET "/definitions/new" Needs(EditPolicies);
    POST "/definitions/new" Needs(EditPolicies);
    GET "/definitions/{name}" Needs(SeePolicies);
    POST "/definitions/{name}" Needs(EditPolicies);
    POST "/definitions/{name}/remove" Needs(EditPolicies);
    GET "/policies" Needs(SeePolicies);
    GET "/policies/new/{kind}" Needs(EditPolicies);
    POST "/policies/new/{kind}" Needs(EditPolicies);
    GET "/policies/versions" Needs(SeePolicies);
    GET "/policies/rollback/{number}" Needs(EditPolicies);
    POST "/policies/rollback/{number}" Needs(EditPolicies);
    GET "/policies/{number}" Needs(SeePolicies);
    POST "/policies/{number}" Needs(EditPolicies);
    POST "/policies/{number}/remove" Needs(EditPolicies);
    GET "/policies/{number}/observed" Needs(EditPolicies);
    POST "/policies/{number}/enforce" Needs(EditPolicies);
    GET "/policies/simulator" Needs(SeePolicies);
    GET "/changes/{version}" SEES_CHANGES;
    POST "/changes/{version}/undo" UNDOES;
    GET "/lifelines/{name}" Needs(SeeMetadata);
    GET "/compare" Needs(SeeMetadata);
    GET "/r/{reference}" Public;
    POST "/r/{reference}" Public;
    GET "/requests" Needs(SeeMetadata);
    POST "/requests/{id}/answer" Needs(AnswerRequests);
    POST "/requests/{id}/reopen" Needs(AnswerRequests);
    GET "/console/pulse" Needs(SeeMetadata);
    GET "/views" Needs(SeeMetadata);
    POST "/views" Needs(SeeMetadata);
    POST "/views/{id}/remove" Needs(SeeMetadata);
    GET "/views/{id}/alert" Needs(SeeMetadata);
    POST "/views/{id}/alert" Needs(SeeMetadata);
    POST "/views/{id}/alert/remove" Needs(SeeMetadata);
    POST "/views/{id}/alert/test" Needs(SeeMetadata);
    GET "/reports/precision" Needs(SeePolicies);
    GET "/reports/reputation" Needs(SeePolicies);
    GET "/reports/delays" Needs(SeeGreylist);
    POST "/reports/reputation/{ip}/forget" Needs(EditPolicies);
    GET "/reports/recipients" Needs(SeePolicies);
    POST "/reports/recipients/import" Needs(EditPolicies);
    POST "/reports/recipients/forget" Needs(EditPolicies);
    POST "/reports/recipients/learn-anew" Needs(EditPolicies);
    POST "/reports/recipients/read-directory" Needs(EditPolicies);
    GET "/reports/downloads" NeedsAny(&[ExportMetadata, DailyLogs]);
    GET "/reports/downloads/new" Needs(ExportMetadata);
    POST "/reports/downloads" Needs(ExportMetadata);
    POST "/reports/downloads/{id}/cancel" Needs(ExportMetadata);
    POST "/reports/downloads/{id}/remove" Needs(ExportMetadata);
    GET "/system/access" Needs(ManageAccounts);
    POST "/system/access" Needs(ManageAccounts);
    GET "/system/access/{name}" Needs(ManageAccounts);
    POST "/system/access/{name}" Needs(ManageAccounts);
    POST "/system/access/{name}/link" Needs(ManageAccounts);
    POST "/system/access/{name}/identities" Needs(ManageAccounts);
    POST "/system/access/{name}/unlink" Needs(ManageAccounts);
    POST "/system/access/{name}/remove" Needs(ManageAccounts);
    GET "/system/roles" Needs(ManageAccounts);
    POST "/system/roles" Needs(ManageAccounts);
    GET "/system/roles/{name}" Needs(ManageAccounts);
    POST "/system/roles/{name}" Needs(ManageAccounts);
    POST "/system/roles/{name}/remove" Needs(ManageAccounts);
    GET "/system/submitters" Needs(ManageAccounts);
    POST "/system/submitters" Needs(ManageAccounts);
    GET "/system/submitters/{name}" Needs(ManageAccounts);
    POST "/system/submitters/{name}" Needs(ManageAccounts);
    POST "/system/submitters/{name}/password" Needs(ManageAccounts);
    POST "/system/submitters/{name}/remove" Needs(ManageAccounts);
    GET "/system/audit" SignedIn;
    GET "/system/audit/{number}" SignedIn;
    // Attempts.
    GET "/api/v1/attempts" Needs(SeeMetadata);
    GET "/api/v1/attempts/count" Needs(SeeMetadata);
    GET "/api/v1/attempts/counts" Needs(SeeMetadata);
    GET "/api/v1/attempts/histogram" Needs(SeeMetadata);
    GET "/api/v1/attempts/facets" Needs(SeeMetadata);
    GET "/api/v1/attempts/hints" Needs(SeeMetadata);
    GET "/api/v1/attempts/completion" Needs(SeeMetadata);
    GET "/api/v1/attempts/rows" Needs(ExportMetadata);
    GET "/api/v1/attempts/stream" Needs(SeeMetadata);
    GET "/api/v1/attempts/{name}" Needs(SeeMetadata);
    GET "/api/v1/attempts/{name}/event" Needs(SeeMetadata);
    GET "/api/v1/attempts/{name}/senders" Needs(EditSenders);
    POST "/api/v1/attempts/{name}/senders" Needs(EditSenders);
    POST "/api/v1/attempts/{name}/senders/preview" Needs(EditSenders);
    POST "/api/v1/attempts/{name}/let-in" LETS_IN;
    GET "/api/v1/lifelines/{name}" Needs(SeeMetadata);
    GET "/api/v1/search-fields" SignedIn;
    GET "/api/v1/views" SignedIn;
    GET "/api/v1/saved-views" Needs(SeeMetadata);
    POST "/api/v1/saved-views" Needs(SeeMetadata);
    GET "/api/v1/saved-views/{number}" Needs(SeeMetadata);
    DELETE "/api/v1/saved-views/{number}" Needs(SeeMetadata);
    PUT "/api/v1/saved-views/{number}/alert" Needs(SeeMetadata);
    DELETE "/api/v1/saved-views/{number}/alert" Needs(SeeMetadata);
    POST "/api/v1/saved-views/{number}/alert/test" Needs(SeeMetadata);
    GET "/api/v1/overview" Needs(SeeMetadata);
    GET "/api/v1/compare" Needs(SeeMetadata);
    GET "/api/v1/openapi.json" SignedIn;
    GET "/api/docs" SignedIn;
    // Exports.
    GET "/api/v1/exports" Needs(ExportMetadata);
    POST "/api/v1/exports" Needs(ExportMetadata);
    GET "/api/v1/exports/{id}" Needs(ExportMetadata);
    DELETE "/api/v1/exports/{id}" Needs(ExportMetadata);
    POST "/api/v1/exports/{id}/cancel" Needs(ExportMetadata);
    GET "/api/v1/exports/{id}/progress" Needs(ExportMetadata);
    GET "/api/v1/exports/{id}/file" Needs(ExportMetadata);
    GET "/api/v1/daily-logs/range" Needs(DailyLogs);
    GET "/api/v1/daily-logs" Needs(DailyLogs);
    GET "/api/v1/daily-logs/{name}" Needs(DailyLogs);
    // What refused senders wrote.
    GET "/api/v1/reputation" Needs(SeePolicies);
    GET "/api/v1/reputation/{ip}" Needs(SeePolicies);
    DELETE "/api/v1/reputation/{ip}" Needs(EditPolicies);
    GET "/api/v1/recipients" Needs(SeePolicies);
    GET "/api/v1/recipients/{address}" Needs(SeePolicies);
    GET "/api/v1/recipient-domains" Needs(SeePolicies);
    GET "/api/v1/recipient-directories" Needs(SeePolicies);
    POST "/api/v1/recipient-directories/{name}" Needs(EditPolicies);
    DELETE "/api/v1/recipient-domains/{domain}" Needs(EditPolicies);
    POST "/api/v1/recipients/accept-file/{domain}" Needs(EditPolicies);
    POST "/api/v1/recipients/import" Needs(EditPolicies);
    DELETE "/api/v1/recipients/{address}" Needs(EditPolicies);
    POST "/api/v1/recipients/learn-anew/{domain}" Needs(EditPolicies);
    GET "/api/v1/requests" Needs(SeeMetadata);
    GET "/api/v1/requests/{number}" Needs(SeeMetadata);
    POST "/api/v1/requests/{number}/answer" Needs(AnswerRequests);
    POST "/api/v1/requests/{number}/reopen" Needs(AnswerRequests);
    // Policies and groups.
    GET "/api/v1/policies" Needs(SeePolicies);
    POST "/api/v1/policies" Needs(EditPolicies);
    GET "/api/v1/policies/{number}" Needs(SeePolicies);
    PUT "/api/v1/policies/{number}" Needs(EditPolicies);
    DELETE "/api/v1/policies/{number}" Needs(EditPolicies);
    GET "/api/v1/policies/{number}/observed" Needs(EditPolicies);
    POST "/api/v1/policies/{number}/enforce" Needs(EditPolicies);
    GET "/api/v1/policies/export" Needs(SeePolicies);
    GET "/api/v1/policies/versions" Needs(SeePolicies);
    GET "/api/v1/policies/precision" Needs(SeePolicies);
    GET "/api/v1/policies/differences" Needs(SeePolicies);
    POST "/api/v1/policies/check" Needs(SeePolicies);
    POST "/api/v1/policies/replay" Needs(EditPolicies);
    POST "/api/v1/policies/import" Needs(EditPolicies);
    POST "/api/v1/policies/undo" UNDOES;
    POST "/api/v1/policies/rollback" Needs(EditPolicies);
    GET "/api/v1/attributes" Needs(SeePolicies);
    GET "/api/v1/groups" Needs(SeePolicies);
    GET "/api/v1/groups/{name}" Needs(SeePolicies);
    PUT "/api/v1/groups/{name}" Needs(EditLists);
    DELETE "/api/v1/groups/{name}" Needs(EditLists);
    POST "/api/v1/groups/{name}/members" Needs(EditLists);
    GET "/api/v1/definitions" Needs(SeePolicies);
    GET "/api/v1/definitions/{name}" Needs(SeePolicies);
    PUT "/api/v1/definitions/{name}" Needs(EditPolicies);
    DELETE "/api/v1/definitions/{name}" Needs(EditPolicies);
    POST "/api/v1/groups/{name}/paste" Needs(EditLists);
    POST "/api/v1/policies/simulate" Needs(SeePolicies);
    // Managed senders.
    GET "/api/v1/senders" Needs(SeeSenders);
    POST "/api/v1/senders" Needs(EditSenders);
    GET "/api/v1/senders/auto" Needs(SeeSenders);
    DELETE "/api/v1/senders/auto" Needs(EditSenders);
    GET "/api/v1/senders/auto/export" Needs(SeeSenders);
    POST "/api/v1/senders/auto/import" Needs(EditLists);
    GET "/api/v1/senders/{number}" Needs(SeeSenders);
    DELETE "/api/v1/senders/{number}" Needs(EditSenders);
    GET "/api/v1/senders/export" Needs(SeeSenders);
    POST "/api/v1/senders/import" Needs(EditLists);
    // Many rows at once.
    GET "/api/v1/bulk" Needs(EditPolicies);
    POST "/api/v1/bulk" Needs(EditPolicies);
    POST "/api/v1/bulk/preview" Needs(EditPolicies);
    GET "/api/v1/bulk/{number}" Needs(EditPolicies);
    POST "/api/v1/bulk/{number}/cancel" Needs(EditPolicies);
    // Who expects a mail.
    GET "/api/v1/expecting" Needs(SeeSenders);
    POST "/api/v1/expecting" Needs(EditSenders);
    DELETE "/api/v1/expecting/{number}" Needs(EditSenders);
    // Queue and greylist.
    GET "/api/v1/queue" Needs(SeeQueue);
    GET "/api/v1/queue/shape" Needs(SeeQueue);
    GET "/api/v1/queue/{id}" Needs(SeeQueue);
    POST "/api/v1/queue/actions" ON_QUEUE;
    POST "/api/v1/queue/preview" ON_QUEUE;
    GET "/api/v1/greylist" Needs(SeeGreylist);
    GET "/api/v1/greylist/pair" Needs(SeeGreylist);
    GET "/api/v1/greylist/delays" Needs(SeeGreylist);
    POST "/api/v1/greylist/pass" Needs(SteerGreylist);
    POST "/api/v1/greylist/forget" Needs(SteerGreylist);
    // The audit log; without the permission one's own entries only.
    GET "/api/v1/audit" SignedIn;
    GET "/api/v1/audit/{number}" SignedIn;
    GET "/api/v1/audit/export" SignedIn;
    GET "/api/v1/audit/verify" Needs(SeeAudit);
    // The gateway as a whole.
    GET "/api/v1/status" Needs(SystemStatus);
    GET "/api/v1/conservation" Needs(SystemStatus);
    GET "/api/v1/conservation/hours" Needs(SystemStatus);
    // Signing in and out.
    GET "/sign-in" Entrance;
    POST "/sign-in" Entrance;
    GET "/sign-in/code" Entrance;
    POST "/sign-in/code" Entrance;
    GET "/sign-in/link/{link}" Entrance;
    POST "/sign-in/link/{link}" Entrance;
    GET "/sign-in/provider" Entrance;
    GET "/sign-in/provider/back" Entrance;
    GET "/set-up/{link}" Entrance;
    POST "/set-up/{link}" Entrance;
    GET "/signed-out" Public;
    POST "/sign-out" SignedIn;
    GET "/sign-out/provider" Entrance;
    // Oneself.
    GET "/me" SignedIn;
    POST "/me/preferences" SignedIn;
    POST "/me/density" SignedIn;
    POST "/me/password" SignedIn;
    POST "/me/sessions" SignedIn;
    GET "/me/codes" SignedIn;
    POST "/me/codes" SignedIn;
    POST "/me/codes/begin" SignedIn;
    POST "/me/codes/off" SignedIn;
    POST "/me/codes/recovery" SignedIn;
    POST "/me/identities" SignedIn;
    POST "/me/identities/remove" SignedIn;
    POST "/me/tokens" Needs(ManageTokens);
    POST "/me/tokens/revoke" SignedIn;
    GET "/api/v1/me" SignedIn;
    // Accounts and tokens of other people.
    GET "/api/v1/accounts" Needs(ManageAccounts);
    POST "/api/v1/accounts" Needs(ManageAccounts);
    DELETE "/api/v1/accounts/{name}" Needs(ManageAccounts);
    PUT "/api/v1/accounts/{name}" Needs(ManageAccounts);
    PUT "/api/v1/accounts/{name}/role" Needs(ManageAccounts);
    PUT "/api/v1/accounts/{name}/password" Needs(ManageAccounts);
    DELETE "/api/v1/accounts/{name}/codes" Needs(ManageAccounts);
    POST "/api/v1/accounts/{name}/links" Needs(ManageAccounts);
    DELETE "/api/v1/accounts/{name}/links/{number}" Needs(ManageAccounts);
    GET "/api/v1/submitters" Needs(ManageAccounts);
    POST "/api/v1/submitters" Needs(ManageAccounts);
    PUT "/api/v1/submitters/{name}" Needs(ManageAccounts);
    PUT "/api/v1/submitters/{name}/password" Needs(ManageAccounts);
    DELETE "/api/v1/submitters/{name}" Needs(ManageAccounts);
    GET "/api/v1/roles" Needs(ManageAccounts);
    PUT "/api/v1/roles/{name}" Needs(ManageAccounts);
    DELETE "/api/v1/roles/{name}" Needs(ManageAccounts);
    POST "/api/v1/emergency-account" Needs(ManageAccounts);
    POST "/api/v1/set-up-links" Needs(ManageAccounts);
    GET "/api/v1/tokens" SignedIn;
    POST "/api/v1/tokens" Needs(ManageTokens);
    DELETE "/api/v1/tokens/{number}" SignedIn;
}

/// What the table says of a request; nothing if it does not know the route.
pub(crate) fn access(method: &Method, path: &str) -> Option<Access> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let found = ROUTES.iter().find(|route| route.method == *method && route.path == path);
    found.map(|route| route.access)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_stands_in_the_table_twice() {
        for (place, route) in ROUTES.iter().enumerate() {
            let same = |other: &Route| other.method == route.method && other.path == route.path;
            assert!(!ROUTES[..place].iter().any(same), "{} {}", route.method, route.path);
        }
    }

    #[test]
    fn head_is_asked_for_as_get() {
        assert_eq!(access(&Method::HEAD, "/healthz"), Some(Access::Public));
        assert_eq!(access(&Method::PUT, "/healthz"), None);
        assert_eq!(access(&Method::GET, "/nowhere"), None);
    }

    /// Walks all routes of the console, as the router itself lists them.
    #[test]
    fn every_route_is_in_the_table_and_every_line_is_a_route() {
        let listed = format!("{:?}", crate::serve::console_routes());
        let registered: std::collections::BTreeSet<&str> =
            listed.split('"').filter(|text| text.starts_with('/') && !text.contains('*')).collect();
        assert!(registered.len() > 40, "the router lists its routes: {listed}");
        for path in &registered {
            assert!(ROUTES.iter().any(|route| route.path == *path), "{path} has no permission");
        }
        for route in ROUTES {
            assert!(registered.contains(route.path), "{} is no route", route.path);
        }
    }
}

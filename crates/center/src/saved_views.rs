//! Lists that people save under a name, for themselves or for everybody.

use serde::{Deserialize, Serialize};
use store::state::{SavedViewState, StoredView};
use types::{AuditAction, Caller, Permission, Timestamp};

use crate::alerts::Alert;
use crate::search::SearchRequest;
use crate::{Center, CenterError, permit, presentable};

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 80;
/// Most views of one owner.
const VIEWS_MAX: usize = 200;

/// A list that somebody saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SavedView {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// Whether it is the caller's own, to change and to remove.
    pub mine: bool,
    /// Whether everybody may use it.
    pub shared: bool,
    /// What it shows: query, list, range, order and columns.
    pub request: SearchRequest,
    /// When it was last changed.
    pub changed: Timestamp,
    /// What is told of it; only in one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<Alert>,
}

/// A list to be saved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewView {
    /// Its name; a view of the caller with the same name is replaced.
    pub name: String,
    /// Whether everybody may use it.
    #[serde(default)]
    pub shared: bool,
    /// What it shows. Times stay as they are written: `now-24h` moves along.
    pub request: SearchRequest,
}

impl Center {
    /// The saved views a caller may use: their own, then what others share.
    ///
    /// # Errors
    ///
    /// [`CenterError::Denied`], or a database that cannot be read.
    pub fn saved_views(&self, caller: &Caller) -> Result<Vec<SavedView>, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let stored = self.saved_view_state()?.views(&caller.name)?;
        // A view of a program that knew other fields is left out of the list;
        // it is still there for that program.
        let views = stored.iter().filter_map(|view| shown(caller, view));
        views.map(|view| self.with_alert(view)).collect()
    }

    /// One saved view.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`], also for one that its owner does not share.
    pub fn saved_view(&self, caller: &Caller, id: u64) -> Result<SavedView, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let stored = self.saved_view_state()?.view(id)?;
        let stored = stored.filter(|view| view.shared || view.owner == *caller.name);
        let view = stored.and_then(|view| shown(caller, &view)).ok_or_else(|| missing(id))?;
        self.with_alert(view)
    }

    fn with_alert(&self, view: SavedView) -> Result<SavedView, CenterError> {
        let alert = if view.mine { self.alert_of(view.id)? } else { None };
        Ok(SavedView { alert, ..view })
    }

    /// Saves a list under a name.
    ///
    /// # Errors
    ///
    /// A request that cannot be understood, a name that is none, too many views.
    pub fn save_view(&self, caller: &Caller, new: &NewView) -> Result<SavedView, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let state = self.saved_view_state()?;
        let name = new.name.trim();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
            let message = format!("a name has 1 to {NAME_CHARS_MAX} characters");
            return Err(CenterError::invalid(message));
        }
        let request = SearchRequest { cursor: None, ..new.request.clone() };
        self.seen_by(caller).scope(&request)?;
        let own = state.views(&caller.name)?;
        let mut own = own.iter().filter(|view| view.owner == *caller.name);
        if own.clone().count() >= VIEWS_MAX && !own.any(|view| view.name == name) {
            let message = format!("there are {VIEWS_MAX} saved views; remove one first");
            return Err(CenterError::invalid(message));
        }
        let document = serde_json::to_string(&request)
            .map_err(|error| CenterError::invalid(error.to_string()))?;
        let stored = StoredView {
            id: 0,
            owner: caller.name.to_string(),
            name: presentable(name).into_owned(),
            shared: new.shared,
            request: document,
            changed: self.parts.clock.now(),
        };
        let note = self.audit_note(caller, AuditAction::ViewSaved, &stored.name);
        let id = state.keep_view(&stored, &note.with_details(stored.request.clone()))?;
        self.saved_view(caller, id)
    }

    /// Forgets a saved view of the caller.
    ///
    /// # Errors
    ///
    /// [`CenterError::NotFound`], also for one of somebody else.
    pub fn remove_view(&self, caller: &Caller, id: u64) -> Result<(), CenterError> {
        let view = self.saved_view(caller, id)?;
        if !view.mine {
            return Err(missing(id));
        }
        let note = self.audit_note(caller, AuditAction::ViewRemoved, &view.name);
        match self.saved_view_state()?.forget_view(id, &note)? {
            true => Ok(()),
            false => Err(missing(id)),
        }
    }

    fn saved_view_state(&self) -> Result<&dyn SavedViewState, CenterError> {
        let missing = || CenterError::NotFound("place for saved views here".to_owned());
        self.saved_views.as_deref().ok_or_else(missing)
    }
}

fn shown(caller: &Caller, view: &StoredView) -> Option<SavedView> {
    Some(SavedView {
        id: view.id,
        name: view.name.clone(),
        owner: view.owner.clone(),
        mine: view.owner == *caller.name,
        shared: view.shared,
        request: serde_json::from_str(&view.request).ok()?,
        changed: view.changed,
        alert: None,
    })
}

fn missing(id: u64) -> CenterError {
    CenterError::NotFound(format!("saved view {id}"))
}

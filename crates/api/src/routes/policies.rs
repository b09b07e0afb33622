//! Policies, groups and their versions.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use center::precision::Precision;
use center::replay::{ReplayReport, ReplayRequest};
use center::{
    AttributeRow, ChangeResult, GroupRow, ImportHow, ObservedPolicy, Pasted, PolicyList, PolicyRow,
    Problem, Simulated, SimulatedMail, VersionDifference, VersionRow,
};
use serde::Deserialize;
use types::lists::{Group, Pattern};
use types::{Caller, Policy, PolicyId};

use super::answers::Toml;
use super::{Body, ChangeParams, Params, working};
use crate::Api;
use crate::problem::ApiProblem;

type Answer<T> = Result<Json<T>, ApiProblem>;

pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Answer<PolicyList> {
    working(&api, move |center| center.policies(&caller)).await.map(Json)
}

pub(crate) async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Answer<PolicyRow> {
    working(&api, move |center| center.policy(&caller, PolicyId(number))).await.map(Json)
}

pub(crate) async fn observed(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
) -> Answer<ObservedPolicy> {
    working(&api, move |center| center.observed_policy(&caller, PolicyId(number))).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct EnforceBody {
    /// The version of the policy that was looked at.
    looked_at: u64,
    /// What it is for.
    #[serde(default)]
    note: String,
}

pub(crate) async fn enforce(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
    Body(EnforceBody { looked_at, note }): Body<EnforceBody>,
) -> Answer<ChangeResult> {
    let id = PolicyId(number);
    working(&api, move |center| center.enforce_policy(&caller, id, looked_at, &note))
        .await
        .map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct PolicyBody {
    policy: Policy,
    #[serde(flatten)]
    change: ChangeParams,
}

pub(crate) async fn add(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(PolicyBody { policy, change }): Body<PolicyBody>,
) -> Answer<ChangeResult> {
    let policy = Policy { id: None, ..policy };
    put(api, caller, policy, change).await
}

pub(crate) async fn change(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
    Body(PolicyBody { policy, change }): Body<PolicyBody>,
) -> Answer<ChangeResult> {
    let policy = Policy { id: Some(PolicyId(number)), ..policy };
    put(api, caller, policy, change).await
}

async fn put(
    api: Api,
    caller: Caller,
    policy: Policy,
    change: ChangeParams,
) -> Answer<ChangeResult> {
    let ChangeParams { expected_version, note } = change;
    let work =
        move |center: &center::Center| center.put_policy(&caller, policy, expected_version, &note);
    working(&api, work).await.map(Json)
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<u64>,
    Params(ChangeParams { expected_version, note }): Params<ChangeParams>,
) -> Answer<ChangeResult> {
    let id = PolicyId(number);
    let work =
        move |center: &center::Center| center.remove_policy(&caller, id, expected_version, &note);
    working(&api, work).await.map(Json)
}

pub(crate) async fn export(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Toml, ApiProblem> {
    working(&api, move |center| center.export_policies(&caller)).await.map(Toml)
}

pub(crate) async fn check(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    document: String,
) -> Answer<Vec<Problem>> {
    working(&api, move |center| center.check_policies(&caller, &document)).await.map(Json)
}

pub(crate) async fn import(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(ChangeParams { expected_version, note }): Params<ChangeParams>,
    document: String,
) -> Answer<ChangeResult> {
    let work = move |center: &center::Center| {
        center.import_policies(&caller, &document, expected_version, &note)
    };
    working(&api, work).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct RollBackBody {
    version: u64,
    #[serde(flatten)]
    change: ChangeParams,
}

pub(crate) async fn roll_back(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(RollBackBody { version, change }): Body<RollBackBody>,
) -> Answer<ChangeResult> {
    let ChangeParams { expected_version, note } = change;
    let work =
        move |center: &center::Center| center.roll_back(&caller, version, expected_version, &note);
    working(&api, work).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct VersionsParams {
    before: Option<u64>,
    limit: Option<usize>,
}

pub(crate) async fn versions(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(VersionsParams { before, limit }): Params<VersionsParams>,
) -> Answer<Vec<VersionRow>> {
    let work = move |center: &center::Center| center.versions(&caller, before, limit.unwrap_or(50));
    working(&api, work).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct DifferencesParams {
    from: u64,
    to: u64,
}

pub(crate) async fn differences(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(DifferencesParams { from, to }): Params<DifferencesParams>,
) -> Answer<Vec<VersionDifference>> {
    working(&api, move |center| center.differences(&caller, from, to)).await.map(Json)
}

pub(crate) async fn groups(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Answer<Vec<GroupRow>> {
    working(&api, move |center| center.groups(&caller)).await.map(Json)
}

pub(crate) async fn attributes(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Answer<Vec<AttributeRow>> {
    working(&api, move |center| center.attributes(&caller)).await.map(Json)
}

pub(crate) async fn group(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Answer<GroupRow> {
    working(&api, move |center| center.group(&caller, &name)).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct GroupBody {
    group: Group,
    #[serde(flatten)]
    change: ChangeParams,
}

pub(crate) async fn put_group(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(GroupBody { group, change }): Body<GroupBody>,
) -> Answer<ChangeResult> {
    if group.name != name {
        return Err(ApiProblem::malformed("the group has another name than its address"));
    }
    let ChangeParams { expected_version, note } = change;
    let work =
        move |center: &center::Center| center.put_group(&caller, group, expected_version, &note);
    working(&api, work).await.map(Json)
}

pub(crate) async fn remove_group(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Params(ChangeParams { expected_version, note }): Params<ChangeParams>,
) -> Answer<ChangeResult> {
    let work =
        move |center: &center::Center| center.remove_group(&caller, &name, expected_version, &note);
    working(&api, work).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct MembersBody {
    #[serde(default)]
    add: Vec<Pattern>,
    #[serde(default)]
    remove: Vec<Pattern>,
    #[serde(default)]
    note: String,
}

pub(crate) async fn members(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(MembersBody { add, remove, note }): Body<MembersBody>,
) -> Answer<ChangeResult> {
    let work =
        move |center: &center::Center| center.change_members(&caller, &name, add, &remove, &note);
    working(&api, work).await.map(Json)
}

pub(crate) async fn replay(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<ReplayRequest>,
) -> Answer<ReplayReport> {
    working(&api, move |center| center.replay(&caller, &request)).await.map(Json)
}

pub(crate) async fn simulate(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(mail): Body<SimulatedMail>,
) -> Answer<Simulated> {
    working(&api, move |center| center.simulate(&caller, &mail)).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct PasteBody {
    /// Addresses and domains, one per line; the first column of CSV.
    text: String,
    /// Whether good lines are taken even if others are not.
    #[serde(default)]
    partial: bool,
    /// Whether it is only said what would be added.
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    note: String,
}

pub(crate) async fn paste(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(PasteBody { text, partial, dry_run, note }): Body<PasteBody>,
) -> Answer<Pasted> {
    let how = ImportHow { partial, dry_run };
    let work =
        move |center: &center::Center| center.paste_members(&caller, &name, &text, how, &note);
    working(&api, work).await.map(Json)
}

#[derive(Deserialize, schemars::JsonSchema)]
pub(crate) struct PrecisionParams {
    /// How many days back; as far as attempts are kept.
    #[serde(default = "a_week")]
    days: u32,
}

const fn a_week() -> u32 {
    7
}

pub(crate) async fn precision(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Params(PrecisionParams { days }): Params<PrecisionParams>,
) -> Result<Json<Precision>, ApiProblem> {
    working(&api, move |center| center.precision(&caller, days)).await.map(Json)
}

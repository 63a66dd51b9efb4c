//! The spec as users write it, with the admission rules that the API server enforces.
#![allow(unreachable_pub, reason = "the schema's derive repeats each struct inside a function")]
#![allow(clippy::duplicated_attributes, reason = "every printcolumn has the same keys")]

use jiff::Timestamp;
use jiff::civil::date;
use jiff::fmt::temporal::Pieces;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::PhotoRemovalStatus;

/// Removes the profile photo of one Microsoft 365 user or group through Microsoft Graph, once, and keeps the proof in
/// its status. Creating it is what removes the photo; deleting it sends nothing.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "photoremoval.dev",
    version = "v1alpha1",
    kind = "PhotoRemoval",
    plural = "photoremovals",
    singular = "photoremoval",
    shortname = "phr",
    namespaced,
    status = "PhotoRemovalStatus",
    derive = "PartialEq",
    selectable = ".spec.target.user",
    selectable = ".spec.target.group",
    selectable = ".status.outcome",
    printcolumn(
        name = "User",
        type_ = "string",
        json_path = ".spec.target.user",
        description = "The user whose photo is removed."
    ),
    printcolumn(
        name = "Group",
        type_ = "string",
        json_path = ".spec.target.group",
        description = "The group whose photo is removed."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "True when the job is done."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why the object is where it is."
    ),
    printcolumn(
        name = "Outcome",
        type_ = "string",
        json_path = ".status.outcome",
        description = "What became of the photo, once known."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Attempts",
        type_ = "integer",
        json_path = ".status.attempts",
        description = "How many DELETEs Microsoft Graph answered or may have received.",
        priority = 1
    ),
    printcolumn(
        name = "Next",
        type_ = "string",
        json_path = ".status.nextAttemptTime",
        description = "When it is tried next.",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        description = "What happened, and what to do.",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.notBefore) || !has(self.notAfter) || self.notBefore < self.notAfter").message("notBefore must be before notAfter"))]
#[x_kube(validation = Rule::new("!has(self.recheckInterval) || !has(self.ttlSecondsAfterFinished)").message("recheckInterval and ttlSecondsAfterFinished do not go together: a resource that is deleted looks at nothing any more"))]
pub struct PhotoRemovalSpec {
    /// Whose photo is removed: exactly one of `user`, `group` and `me`. It cannot be changed afterwards: create another
    /// PhotoRemoval for another target. Example: `{user: leaver@contoso.com}`.
    #[x_kube(validation = Rule::new("self == oldSelf").message("target cannot be changed; create another PhotoRemoval for another target"))]
    pub target: TargetSpec,

    /// Where the operator finds the credential for Microsoft Graph: exactly one of `secretRef` and `serviceAccountRef`. It
    /// is looked for in this resource's own namespace only. May be changed while the removal is not done.
    /// Example: `{secretRef: {name: contoso-graph}}`.
    pub credentials: CredentialsSpec,

    /// The Microsoft national cloud that the tenant lives in. It cannot be changed afterwards. Default: Global, which
    /// also serves US government GCC tenants; GCC High is USGovernmentL4, DoD is USGovernmentL5, 21Vianet is China.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("cloud cannot be changed; create another PhotoRemoval for another cloud"))]
    pub cloud: Cloud,

    /// While true, nothing is sent for this resource; a request that is already under way is not called back.
    /// Default: false.
    #[serde(default)]
    pub suspend: bool,

    /// Nothing is sent before this time. Default: at once. Example: `2026-12-01T00:00:00Z`.
    #[serde(default, deserialize_with = "a_time", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,

    /// Nothing is sent after this time, whatever became of the resource until then: a manifest that is applied again
    /// years later cannot remove a new photo. Must be later than notBefore. Default: no end.
    /// Example: `2026-12-31T00:00:00Z`.
    #[serde(default, deserialize_with = "a_time", skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,

    /// How many tries may fail after the first one before the operator gives up, as of a Job: 0 is one try. Throttled
    /// answers and a credential that is refused do not count. It starts over when the spec changes. Default: no limit. Example: `10`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub backoff_limit: Option<i32>,

    /// So many seconds after the removal is done (Ready), this resource is deleted, and its proof with it; one that is
    /// stalled is kept. Default: it is never deleted. Example: `86400`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub ttl_seconds_after_finished: Option<i32>,

    /// While true, the operator finds out what it would do and deletes nothing. Set to false later, the removal runs for
    /// real. Default: false.
    #[serde(default)]
    pub dry_run: bool,

    /// How often, once the removal is done, the operator looks for a photo that came back and removes it: a duration of
    /// hours, minutes and seconds, at least 1h. Does not go with ttlSecondsAfterFinished. Default: once is enough.
    /// Example: `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && self.size() > 0 && duration(self) >= duration('1h')").message("recheckInterval must be a duration of at least one hour, such as 24h or 1h30m"))]
    pub recheck_interval: Option<String>,
}

/// Whose photo is removed: exactly one of the fields.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.user) ? 1 : 0) + (has(self.group) ? 1 : 0) + (has(self.me) ? 1 : 0) == 1").message("target takes exactly one of user, group and me"))]
pub struct TargetSpec {
    /// A user: the object id (a GUID) or the user principal name, which need not be the e-mail address. At most 256
    /// characters. Example: `leaver@contoso.com`, or `guest_fabrikam.com#EXT#@contoso.com` for a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$') || self.matches('^[A-Za-z0-9\\'._!#^~$-]+@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\\\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$') && self.size() - self.indexOf('@') <= 254").message("user must be an object id (a GUID) or a user principal name such as leaver@contoso.com, made of letters, digits and ' . - _ ! # ^ ~ $ before the @"))]
    pub user: Option<String>,

    /// A Microsoft 365 group, by its object id (a GUID); its name or address will not do.
    /// Example: `9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')").message("group must be an object id (a GUID)"))]
    pub group: Option<String>,

    /// The user who signed in, of a delegated credential: a Secret with `AZURE_REFRESH_TOKEN`. The only way to remove the
    /// photo of a personal Microsoft account. Example: `{}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub me: Option<SignedInUser>,
}

/// The user who signed in. It has no fields.
#[derive(KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedInUser {}

/// Where the credential is: exactly one of `secretRef` and `serviceAccountRef`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretRef) != has(self.serviceAccountRef)").message("credentials takes exactly one of secretRef and serviceAccountRef"))]
pub struct CredentialsSpec {
    /// A Secret in this resource's own namespace, which may be created later than this resource. Keys: `AZURE_TENANT_ID`,
    /// `AZURE_CLIENT_ID`, and one of `AZURE_CLIENT_SECRET`; `AZURE_CLIENT_CERTIFICATE` (PEM with its key, or PKCS#12) with
    /// `AZURE_CLIENT_CERTIFICATE_PASSWORD` if it has one; `tls.crt` with `tls.key`; or `AZURE_REFRESH_TOKEN`, which goes
    /// alone or with one of the others. Example: `{name: contoso-graph}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretReference>,

    /// A ServiceAccount in this resource's own namespace that a Microsoft Entra application trusts (workload identity
    /// federation), so that no secret is stored. Its annotations `azure.workload.identity/tenant-id` and
    /// `azure.workload.identity/client-id` name the application. Example: `{name: offboarder}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountReference>,

    /// The Microsoft Entra tenant: its id (a GUID), one of its domains, or `consumers` for personal accounts. Default:
    /// the Secret's `AZURE_TENANT_ID` or the ServiceAccount's annotation, over which it wins. Example: `contoso.onmicrosoft.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.lowerAscii() == 'consumers' || self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$') || self.matches('^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\\\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$')").message("tenantId must be a GUID, a domain such as contoso.onmicrosoft.com, or consumers"))]
    pub tenant_id: Option<String>,

    /// The Microsoft Entra application (client) id, a GUID. Default: the Secret's `AZURE_CLIENT_ID` or the
    /// ServiceAccount's annotation, over which it wins. Example: `2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')").message("clientId must be a GUID"))]
    pub client_id: Option<String>,
}

/// A Secret in the resource's own namespace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretReference {
    /// The Secret's name. Example: `contoso-graph`.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$')").message("secretRef.name must be the name of a Secret: lower-case letters, digits, '-' and '.'"))]
    pub name: String,
}

/// A ServiceAccount in the resource's own namespace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccountReference {
    /// The ServiceAccount's name. Example: `offboarder`.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$')").message("serviceAccountRef.name must be the name of a ServiceAccount: lower-case letters, digits, '-' and '.'"))]
    pub name: String,
}

/// A Microsoft national cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Cloud {
    /// The worldwide cloud, US government GCC included.
    #[default]
    Global,
    /// US government L4 (GCC High).
    USGovernmentL4,
    /// US government L5 (DoD).
    USGovernmentL5,
    /// China, operated by 21Vianet.
    China,
}

/// A time as RFC 3339 writes it. What people write for "never", such as `9999-12-31T23:59:59Z`, lies beyond the last time
/// that can be reckoned with, 26 hours before the year ends, and is taken for that one.
fn a_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let is_beyond =
        || Pieces::parse(&text).is_ok_and(|pieces| pieces.date() >= date(9999, 12, 30) && pieces.time().is_some());
    match text.parse() {
        Ok(time) => Ok(Some(time)),
        Err(_) if is_beyond() => Ok(Some(Timestamp::MAX)),
        Err(error) => Err(D::Error::custom(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_people_write_for_never_is_the_last_one() {
        let parsed = |text: &str| {
            let spec = serde_json::json!({"target": {}, "credentials": {}, "notAfter": text});
            serde_json::from_value::<PhotoRemovalSpec>(spec).map(|spec| spec.not_after)
        };
        for never in ["9999-12-31T23:59:59Z", "9999-12-31T00:00:00+01:00", "9999-12-30T23:00:00-05:00"] {
            assert_eq!(parsed(never).unwrap(), Some(Timestamp::MAX), "{never}");
        }
        let ordinary = "2026-12-31T12:30:00+01:00";
        assert_eq!(parsed(ordinary).unwrap(), Some("2026-12-31T11:30:00Z".parse().unwrap()));
        for wrong in ["9999-12-31", "9999-13-01T00:00:00Z", "never", "2026-02-30T00:00:00Z"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}

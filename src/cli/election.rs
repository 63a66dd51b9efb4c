//! The flags of the election.

use clap::Args;
use jiff::SignedDuration;

use super::values::{self, Refused};
use crate::leadership::Terms;

/// How replicas agree on who leads. The default is what the flags default to, but for the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Election {
    /// The Lease's name.
    pub lease_name: String,
    /// Its namespace; none: the cluster configuration's own (in a pod the pod's, elsewhere the context's).
    pub lease_namespace: Option<String>,
    /// Its waits: `lease_duration` > `renew_deadline` > 1.2 * `retry_period`.
    pub terms: Terms,
}

impl Default for Election {
    fn default() -> Self {
        Self { lease_name: "photo-removal-operator".to_owned(), lease_namespace: None, terms: Terms::default() }
    }
}

#[derive(Args)]
#[group(skip)]
#[expect(clippy::doc_markdown, reason = "clap prints these comments as they are")]
pub(super) struct Flags {
    /// Run several replicas of which one sends and the others stand by, by a Lease; true or false
    #[arg(
        long,
        value_name = "SWITCH",
        env = "PHOTO_REMOVAL_LEADER_ELECTION",
        default_value = "false",
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true
    )]
    leader_election: String,

    /// The name of the Lease
    #[arg(long, value_name = "NAME", env = "PHOTO_REMOVAL_LEASE_NAME", default_value = "photo-removal-operator")]
    lease_name: String,

    /// The namespace of the Lease (default: POD_NAMESPACE, else the ServiceAccount's, else the kubeconfig's)
    #[arg(
        long,
        value_name = "NAME",
        env = "PHOTO_REMOVAL_LEASE_NAMESPACE",
        default_value = "",
        hide_default_value = true
    )]
    lease_namespace: String,

    /// Take the lead when the leader has given no sign of life for so long; a duration, longer than --lease-renew-deadline
    #[arg(long, value_name = "DURATION", env = "PHOTO_REMOVAL_LEASE_DURATION", default_value = "15s")]
    lease_duration: String,

    /// Stop sending when the lease could not be renewed for so long; a duration
    #[arg(long, value_name = "DURATION", env = "PHOTO_REMOVAL_LEASE_RENEW_DEADLINE", default_value = "10s")]
    lease_renew_deadline: String,

    /// Renew the lease this often; a duration, at least 100ms
    #[arg(long, value_name = "DURATION", env = "PHOTO_REMOVAL_LEASE_RETRY_PERIOD", default_value = "2s")]
    lease_retry_period: String,
}

impl Flags {
    /// `home`: the pod's own namespace, if it is known. None without an election; its flags are to be well-formed even then.
    pub(super) fn check(&self, home: Option<String>) -> Result<Option<Election>, Refused> {
        let given = Some(self.lease_namespace.as_str()).filter(|given| !given.is_empty());
        let namespace = given.map(|given| values::name("--lease-namespace", given)).transpose()?;
        let election = Election {
            lease_name: values::name("--lease-name", &self.lease_name)?,
            lease_namespace: namespace.or(home),
            terms: self.terms()?,
        };
        Ok(values::switch("--leader-election", &self.leader_election)?.then_some(election))
    }

    fn terms(&self) -> Result<Terms, Refused> {
        const DURATION: &str = "--lease-duration";
        const DEADLINE: &str = "--lease-renew-deadline";
        // A Lease counts in whole seconds.
        let lease_duration = values::duration(DURATION, &self.lease_duration, SignedDuration::from_secs(1))?;
        let least = SignedDuration::from_millis(100);
        let renew_deadline = values::duration(DEADLINE, &self.lease_renew_deadline, least)?;
        let retry_period = values::duration("--lease-retry-period", &self.lease_retry_period, least)?;
        if lease_duration <= renew_deadline {
            let allowed = format!("longer than {DEADLINE}, which is {}", self.lease_renew_deadline);
            return Err(Refused::new(DURATION, &self.lease_duration, allowed));
        }
        if renew_deadline <= retry_period.mul_f64(1.2) {
            let allowed = format!("longer than 1.2 times --lease-retry-period, which is {}", self.lease_retry_period);
            return Err(Refused::new(DEADLINE, &self.lease_renew_deadline, allowed));
        }
        Ok(Terms { lease_duration, renew_deadline, retry_period })
    }
}

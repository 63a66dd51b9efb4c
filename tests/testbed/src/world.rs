//! A whole world in one value: a plane with the definition installed, namespaces of its own, Microsoft's side with a
//! tenant and an application, the Secret that signs it in, and the operator with exactly the rights that the chart gives.
//!
//! ```text
//! let world = World::start().await?;
//! world.user("jane.doe@contoso.com");                     // who has a photo
//! world.remove("jane", "jane.doe@contoso.com").await?;    // asks for its removal
//! world.wait_for_reason("jane", Reason::Removed).await?;
//! ```

mod access;
mod identities;
mod look;
mod microsoft;
mod objects;
mod running;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use emulator::Emulator;
use kube::Client;
use photo_removal_operator::cli::{CloudOverride, Config};
use tokio::sync::Mutex;

use crate::error::Result;
use crate::faults::ApiFaults;
use crate::plane::{ControlPlane, shared};
use crate::proxy::InspectingProxy;
use crate::world::running::Running;

pub use access::{LEASE, LEASE_RULES, OPERATOR_RULES, Rule};
pub use look::SOON;
pub use objects::SecretData;
pub(crate) use running::{ask, free_address, signal};

/// The Secret that every removal uses unless its manifest says otherwise.
pub const SECRET: &str = "graph";

/// The account that the operator works as, in the world's first namespace.
const ACCOUNT: &str = "photo-removal-operator";

/// How a world is made; [`World::builder`].
pub struct Builder {
    plane: Option<ControlPlane>,
    namespaces: usize,
    watching: Watching,
    definition: Definition,
    way: Way,
    names: Names,
    program: Option<PathBuf>,
    environment: Vec<(String, String)>,
    rules: Vec<Rule>,
    clouds: Vec<CloudOverride>,
    config: Config,
}

/// What the operator watches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watching {
    /// The world's namespaces, one watch each.
    Own,
    /// Every namespace, in one watch.
    Everywhere,
}

/// Whether the CRD is installed with the world.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Definition {
    Installed,
    Missing,
}

/// How the operator reaches the API server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Direct,
    /// Through a proxy that fails on demand.
    Faulty,
}

/// Under which host names the operator finds Microsoft's side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Loopback,
    /// Microsoft's own, through a proxy.
    Microsofts,
}

/// A control plane, Microsoft's side and the operator. All of it ends when this is dropped.
pub struct World {
    // In the order in which they must go: the operator first, the plane last.
    replicas: Mutex<BTreeMap<usize, Running>>,
    api: Option<ApiFaults>,
    _proxy: Option<InspectingProxy>,
    emulator: Emulator,
    client: Client,
    tenant: String,
    client_id: String,
    client_secret: String,
    namespaces: Vec<String>,
    kubeconfig: PathBuf,
    program: Option<PathBuf>,
    environment: Vec<(String, String)>,
    config: Config,
    plane: Plane,
}

enum Plane {
    Shared(&'static ControlPlane),
    Own(Box<ControlPlane>),
}

impl Deref for Plane {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        match self {
            Self::Shared(plane) => plane,
            Self::Own(plane) => plane,
        }
    }
}

impl World {
    /// The ordinary world: the shared plane, one namespace, the operator inside this process.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`].
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    /// How a world is to differ from the ordinary one. Its operator is an impatient one: back-off from 100 ms to one
    /// second, stalled objects and credentials looked at again within a second. It has at most four requests in flight.
    #[must_use]
    pub fn builder() -> Builder {
        let config = Config {
            max_in_flight: 4,
            retry_base: Duration::from_millis(100),
            retry_cap: Duration::from_secs(1),
            stalled_recheck: Duration::from_secs(1),
            credential_recheck: Duration::from_millis(500),
            ..Config::default()
        };
        Builder {
            plane: None,
            namespaces: 1,
            watching: Watching::Own,
            definition: Definition::Installed,
            way: Way::Direct,
            names: Names::Loopback,
            program: None,
            environment: Vec::new(),
            rules: OPERATOR_RULES.iter().chain(&LEASE_RULES).copied().collect(),
            clouds: Vec::new(),
            config,
        }
    }

    /// The control plane.
    #[must_use]
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// Microsoft's side.
    #[must_use]
    pub const fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// The administrator's client, past every fault.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The first namespace of the world.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespaces[0]
    }

    /// All namespaces of the world.
    #[must_use]
    pub fn namespaces(&self) -> &[String] {
        &self.namespaces
    }

    /// The tenant's id, the application's id and its client secret, as the Secret holds them.
    #[must_use]
    pub fn credential(&self) -> (&str, &str, &str) {
        (&self.tenant, &self.client_id, &self.client_secret)
    }

    /// The proxy between operator and API server, in a world built with [`Builder::faulty_api`].
    ///
    /// # Panics
    ///
    /// In any other world.
    #[must_use]
    #[allow(clippy::expect_used, reason = "a test that asks for what it did not build is wrong")]
    pub fn api(&self) -> &ApiFaults {
        self.api.as_ref().expect("the world was built without faulty_api()")
    }
}

impl Builder {
    /// On a plane of its own, for tests that stop the API server or look at the whole cluster; else the shared one.
    #[must_use]
    pub fn on(mut self, plane: ControlPlane) -> Self {
        self.plane = Some(plane);
        self
    }

    /// With so many namespaces, each with the Secret; else one.
    #[must_use]
    pub const fn namespaces(mut self, number: usize) -> Self {
        self.namespaces = number;
        self
    }

    /// The operator watches every namespace, and may; else the world's own.
    #[must_use]
    pub const fn everywhere(mut self) -> Self {
        self.watching = Watching::Everywhere;
        self
    }

    /// Without the definition; [`World::install_definition`] brings it.
    #[must_use]
    pub const fn without_definition(mut self) -> Self {
        self.definition = Definition::Missing;
        self
    }

    /// The operator reaches the API server through [`World::api`].
    #[must_use]
    pub const fn faulty_api(mut self) -> Self {
        self.way = Way::Faulty;
        self
    }

    /// The operator, which must be a program, finds Microsoft's side under Microsoft's own host names, through an
    /// [`InspectingProxy`]; else at the emulator's own addresses, by its flags.
    #[must_use]
    pub const fn behind_a_proxy(mut self) -> Self {
        self.names = Names::Microsofts;
        self
    }

    /// The operator is this program, as a process of its own; else it runs inside this process.
    #[must_use]
    pub fn program(mut self, file: impl Into<PathBuf>) -> Self {
        self.program = Some(file.into());
        self
    }

    /// One more environment variable for the program.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The operator may do this, too.
    #[must_use]
    pub fn may(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The operator may do nothing with that resource.
    #[must_use]
    pub fn may_not(mut self, resource: &str) -> Self {
        self.rules.retain(|(_, of, _)| *of != resource);
        self
    }

    /// These clouds are elsewhere; the others are the world's emulator.
    #[must_use]
    pub fn clouds(mut self, clouds: Vec<CloudOverride>) -> Self {
        self.clouds = clouds;
        self
    }

    /// At most so many requests in flight; else four, as many as the emulated Graph lets be by default: what most tests are
    /// about is not how more than that is tried.
    #[must_use]
    pub const fn in_flight(mut self, most: usize) -> Self {
        self.config.max_in_flight = most;
        self
    }

    /// Changes the operator's configuration. Namespaces, clouds and the HTTP address are set by the world.
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Makes the world and starts the operator.
    ///
    /// # Errors
    ///
    /// A part cannot be started.
    pub async fn start(self) -> Result<World> {
        let world = self.build().await?;
        world.start_operator().await?;
        Ok(world)
    }

    /// Makes the world without starting the operator: [`World::start_operator`] does.
    ///
    /// # Errors
    ///
    /// A part cannot be started.
    pub async fn build(self) -> Result<World> {
        let plane = match self.plane {
            Some(plane) => Plane::Own(Box::new(plane)),
            None => Plane::Shared(shared().await?),
        };
        let client = plane.client().await?;
        let mut namespaces = Vec::new();
        for _ in 0..self.namespaces.max(1) {
            namespaces.push(plane.namespace("world").await?);
        }
        let (tenant, client_id) = (unique(), unique());
        let client_secret = format!("canary~{}", unique());
        let emulator = microsoft::emulator(&tenant, &client_id, &client_secret).await?;
        let kubeconfig = access::grant(&plane, &client, &namespaces, self.watching, &self.rules).await?;
        let api = match self.way {
            Way::Direct => None,
            Way::Faulty => Some(plane.faults_as(&kubeconfig).await?),
        };
        let mut config = self.config;
        let mut environment = self.environment;
        let proxy = match self.names {
            Names::Loopback => {
                config.clouds = microsoft::clouds(&emulator, self.clouds);
                None
            }
            Names::Microsofts => {
                let proxy = InspectingProxy::start(&emulator, plane.folder()).await?;
                let authority = proxy.authority().display().to_string();
                environment.extend([("HTTPS_PROXY", proxy.url()), ("PHOTO_REMOVAL_CA_FILE", authority)].map(variable));
                Some(proxy)
            }
        };
        running::settle(&mut config, &namespaces, self.watching);
        let world = World {
            replicas: Mutex::default(),
            api,
            _proxy: proxy,
            emulator,
            client,
            tenant,
            client_id,
            client_secret,
            namespaces,
            kubeconfig,
            program: self.program,
            environment,
            config,
            plane,
        };
        if self.definition == Definition::Installed {
            world.install_definition().await?;
        }
        for namespace in &world.namespaces {
            world.put_secret(namespace, SECRET, &world.good_secret()).await?;
        }
        Ok(world)
    }
}

fn variable((name, value): (&str, String)) -> (String, String) {
    (name.to_owned(), value)
}

fn unique() -> String {
    uuid::Uuid::new_v4().to_string()
}

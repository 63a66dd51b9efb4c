//! Microsoft's side as a world begins with it.

use emulator::{App, Emulator, Options, Tenant};
use photo_removal_operator::api::Cloud;
use photo_removal_operator::cli::CloudOverride;

use crate::error::{Context, Result};

/// Microsoft's side with one tenant and one application.
pub(super) async fn emulator(tenant: &str, client_id: &str, secret: &str) -> Result<Emulator> {
    let emulator =
        Emulator::start(Options::default()).await.context(|| "The emulator could not be started".to_owned())?;
    emulator.put_tenant(Tenant::new(tenant));
    emulator.put_app(App::new(client_id, secret).in_tenant(tenant));
    Ok(emulator)
}

/// Every cloud is the emulator, but for those that are elsewhere.
pub(super) fn clouds(emulator: &Emulator, elsewhere: Vec<CloudOverride>) -> Vec<CloudOverride> {
    let here = |cloud| CloudOverride { cloud, sign_in: emulator.sign_in_url(), graph: emulator.graph_url() };
    let mut rows = [Cloud::Global, Cloud::USGovernmentL4, Cloud::USGovernmentL5, Cloud::China].map(here).to_vec();
    rows.retain(|row| elsewhere.iter().all(|other| other.cloud != row.cloud));
    rows.extend(elsewhere);
    rows
}

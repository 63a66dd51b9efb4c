//! Kubernetes' own controllers, which a plane runs only where a test asks for them.

use std::sync::PoisonError;

use super::ControlPlane;
use crate::assets::controller_manager_of;
use crate::error::{Context, Result};
use crate::flags;

impl ControlPlane {
    /// Starts kube-controller-manager with these controllers, such as `namespace-controller`, which empties namespaces
    /// that are being deleted and lets them go. It takes the place of one that runs, and ends with the plane. It begins
    /// when the API server is ready; what it does is to be waited for.
    ///
    /// # Errors
    ///
    /// The program is not to be had; its first build takes a minute or more and says so on standard error.
    pub async fn run_controllers(&self, controllers: &[&str]) -> Result<()> {
        let minor = self.kubernetes.clone();
        let program = tokio::task::spawn_blocking(move || controller_manager_of(&minor))
            .await
            .context(|| "The search for kube-controller-manager ended".to_owned())??;
        let mut running = self.controllers.lock().unwrap_or_else(PoisonError::into_inner);
        drop(running.take());
        *running = Some(self.supervisor.run(&program, &flags::controller_manager(&self.kubeconfig(), controllers))?);
        Ok(())
    }
}

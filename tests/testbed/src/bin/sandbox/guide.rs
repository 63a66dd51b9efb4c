//! What is printed above the table: how to play along.

use crate::seed::SPARE;
use crate::stage::{NAMESPACE, Stage};

/// Prints it once.
pub(crate) fn print(stage: &Stage) {
    let kubeconfig = stage.kubeconfig();
    let (kubeconfig, programs, log) = (kubeconfig.display(), stage.programs.display(), stage.log.display());
    let control = stage.emulator().control_url();
    println!(
        r#"
Play along in another terminal:

  export KUBECONFIG={kubeconfig}
  export PATH={programs}:$PATH
  kubectl config set-context --current --namespace={NAMESPACE}

  kubectl get photoremovals --watch
  kubectl describe photoremoval leaver
  kubectl explain photoremoval.spec

Let the one on hold go on:

  kubectl patch photoremoval suspended --type=merge -p '{{"spec":{{"suspend":false}}}}'

Remove a photo yourself (not indented, so that it can be pasted):

kubectl apply -f - <<'END'
apiVersion: photoremoval.dev/v1alpha1
kind: PhotoRemoval
metadata: {{name: visitor}}
spec:
  target: {{user: {SPARE}}}
  credentials: {{secretRef: {{name: contoso-graph}}}}
END

The operator's log     {log}
Microsoft's side       curl {control}state (and {control}requests)

Ctrl-C ends it all.
"#
    );
}

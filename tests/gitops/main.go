// Command gitops says what GitOps tools make of objects, with their own libraries.
//
//	gitops judge HEALTH_LUA KUSTOMIZATION   a JSON array of objects on standard input, a JSON array of verdicts on standard output
//	gitops health-test FOLDER               runs FOLDER/health_test.yaml as Argo CD's own test runs it in its repository
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	fluxstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// Verdict is what each tool says of one object.
type Verdict struct {
	// Kstatus is the status that kstatus computes.
	Kstatus string `json:"kstatus"`
	// FluxBuiltIn is what Flux says without health check expressions: it has a kstatus of its own.
	FluxBuiltIn string `json:"fluxBuiltIn"`
	// Flux is what Flux says with the expressions of the Kustomization.
	Flux string `json:"flux"`
	// Argo is the health that Argo CD shows.
	Argo Health `json:"argo"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "gitops: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 3 && arguments[0] == "judge":
		return judgeAll(arguments[1], arguments[2], os.Stdin, os.Stdout)
	case len(arguments) == 2 && arguments[0] == "health-test":
		return healthTest(arguments[1])
	default:
		return errors.New("usage: gitops judge HEALTH_LUA KUSTOMIZATION, or gitops health-test FOLDER")
	}
}

func judgeAll(healthLua, kustomization string, in io.Reader, out io.Writer) error {
	script, err := os.ReadFile(healthLua)
	if err != nil {
		return err
	}
	flux, err := readFlux(kustomization)
	if err != nil {
		return err
	}
	var objects []json.RawMessage
	if err := json.NewDecoder(in).Decode(&objects); err != nil {
		return fmt.Errorf("standard input is no JSON array: %w", err)
	}
	verdicts := make([]Verdict, 0, len(objects))
	for _, object := range objects {
		verdict, err := judge(string(script), flux, object)
		if err != nil {
			return fmt.Errorf("of %s: %w", object, err)
		}
		verdicts = append(verdicts, verdict)
	}
	return json.NewEncoder(out).Encode(verdicts)
}

func judge(script string, flux *fluxHealth, data []byte) (Verdict, error) {
	// Whole numbers must be int64 here, as a client of the API server has them.
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(data); err != nil {
		return Verdict{}, err
	}
	computed, err := status.Compute(object)
	if err != nil {
		return Verdict{}, fmt.Errorf("kstatus: %w", err)
	}
	builtIn, err := fluxstatus.Compute(object)
	if err != nil {
		return Verdict{}, fmt.Errorf("Flux without expressions: %w", err)
	}
	expressed, err := flux.evaluate(object)
	if err != nil {
		return Verdict{}, fmt.Errorf("Flux: %w", err)
	}
	health, err := argoHealth(script, object)
	if err != nil {
		return Verdict{}, fmt.Errorf("Argo CD: %w", err)
	}
	return Verdict{
		Kstatus:     computed.Status.String(),
		FluxBuiltIn: builtIn.Status.String(),
		Flux:        expressed,
		Argo:        health,
	}, nil
}

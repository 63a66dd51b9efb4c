package main

import (
	"context"
	"fmt"
	"os"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// fluxHealth holds the compiled expressions of a Kustomization, one set a kind.
type fluxHealth struct {
	evaluators map[schema.GroupKind]*cel.StatusEvaluator
}

// readFlux reads a Kustomization as strictly as the API server would, and compiles its expressions as Flux does.
func readFlux(file string) (*fluxHealth, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var kustomization kustomizev1.Kustomization
	if err := yaml.UnmarshalStrict(data, &kustomization); err != nil {
		return nil, fmt.Errorf("%s is no Kustomization: %w", file, err)
	}
	evaluators := map[schema.GroupKind]*cel.StatusEvaluator{}
	for _, check := range kustomization.Spec.HealthCheckExprs {
		evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		evaluators[schema.FromAPIVersionAndKind(check.APIVersion, check.Kind).GroupKind()] = evaluator
	}
	return &fluxHealth{evaluators: evaluators}, nil
}

func (flux *fluxHealth) evaluate(object *unstructured.Unstructured) (string, error) {
	kind := object.GroupVersionKind().GroupKind()
	evaluator, found := flux.evaluators[kind]
	if !found {
		return "", fmt.Errorf("the Kustomization has no expressions for %s", kind)
	}
	result, err := evaluator.Evaluate(context.Background(), object)
	if err != nil {
		return "", err
	}
	return result.Status.String(), nil
}

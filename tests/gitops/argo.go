package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
	"sigs.k8s.io/yaml"
)

// Health is what a health script returns, and what Argo CD shows.
type Health struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
}

// The health codes that Argo CD knows.
var codes = []string{"Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"}

// How long Argo CD lets a script run.
const limit = time.Second

// argoHealth is the health that Argo CD shows: the script's, but for an object that is being deleted.
func argoHealth(script string, object *unstructured.Unstructured) (Health, error) {
	health, err := runLua(script, object)
	if err == nil && object.GetDeletionTimestamp() != nil {
		return Health{Status: "Progressing", Message: "Pending deletion"}, nil
	}
	return health, err
}

// runLua runs a health script with what Argo CD gives to one from its ConfigMap: the base, table and package libraries.
// A script in Argo CD's repository gets more.
func runLua(script string, object *unstructured.Unstructured) (Health, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage,
		lua.BaseLibName: lua.OpenBase,
		lua.TabLibName:  lua.OpenTable,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return Health{}, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	state.SetContext(ctx)
	data, err := object.MarshalJSON()
	if err != nil {
		return Health{}, err
	}
	value, err := luajson.Decode(state, data)
	if err != nil {
		return Health{}, err
	}
	state.SetGlobal("obj", value)
	if err := state.DoString(script); err != nil {
		return Health{}, err
	}
	return returned(state.Get(-1))
}

func returned(value lua.LValue) (Health, error) {
	if value.Type() != lua.LTTable {
		return Health{}, fmt.Errorf("the script returned a %s, expected a table", value.Type())
	}
	data, err := luajson.Encode(value)
	if err != nil {
		return Health{}, err
	}
	var health Health
	if err := json.Unmarshal(data, &health); err != nil {
		return Health{}, fmt.Errorf("the script returned %s: %w", data, err)
	}
	if !slices.Contains(codes, health.Status) {
		return Health{}, fmt.Errorf("the script returned %q, expected one of %v", health.Status, codes)
	}
	return health, nil
}

// healthTests is the shape of health_test.yaml.
type healthTests struct {
	Tests []struct {
		InputPath    string `json:"inputPath"`
		HealthStatus Health `json:"healthStatus"`
	} `json:"tests"`
}

// healthTest runs each test of a folder's health_test.yaml, and wants the status and the message as they stand there.
func healthTest(folder string) error {
	script, err := os.ReadFile(filepath.Join(folder, "health.lua"))
	if err != nil {
		return err
	}
	var wanted healthTests
	if err := readYAML(filepath.Join(folder, "health_test.yaml"), &wanted); err != nil {
		return err
	}
	if len(wanted.Tests) == 0 {
		return errors.New("health_test.yaml holds no tests")
	}
	var failures []error
	for _, test := range wanted.Tests {
		object := &unstructured.Unstructured{}
		if err := readYAML(filepath.Join(folder, test.InputPath), &object.Object); err != nil {
			return err
		}
		if health, err := runLua(string(script), object); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", test.InputPath, err))
		} else if health != test.HealthStatus {
			failures = append(failures, fmt.Errorf("%s: expected %+v, came %+v", test.InputPath, test.HealthStatus, health))
		}
	}
	return errors.Join(failures...)
}

func readYAML(file string, into any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// Command apigen writes the contracts of the AWS services: from each model in models/ a package under internal/api with
// its types, constraints, errors, operations and one interface. What it writes is committed; `go generate ./...` makes it
// anew, and a test holds the one against the other.
//
//	apigen -models ../../models -out .
//
// It reads two things. A model is a service description in the form that botocore has: operations with their HTTP
// bindings, and shapes with their members and constraints. patches.json says what the models leave out, such as where an
// operation's events come from, or which members hold a secret although the model does not say so.
//
// It refuses what the runtime in internal/wire does not speak (payload members, XML attributes, prefix headers, streams)
// rather than to write a contract that is not kept, and a patch that names nothing in its model.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	models := flag.String("models", "../../models", "folder of the models")
	out := flag.String("out", ".", "folder to write the packages to")
	flag.Parse()
	if err := run(*models, *out); err != nil {
		fmt.Fprintln(os.Stderr, "apigen:", err)
		os.Exit(1)
	}
}

func run(models, out string) error {
	files, err := Generate(models)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(files) {
		path := filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // source code is for all to read
			return fmt.Errorf("make folder of %s: %w", name, err)
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil { //nolint:gosec // as above
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// Generate makes every file, by its path below internal/api.
func Generate(models string) (map[string][]byte, error) {
	var p patches
	if err := load(models, "patches", &p); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range sortedKeys(p.Services) {
		var m model
		if err := load(models, name, &m); err != nil {
			return nil, err
		}
		patch := p.Services[name]
		text, err := newContract(name, &m, patch).file()
		if err != nil {
			return nil, fmt.Errorf("generate %s: %w", name, err)
		}
		files[filepath.Join(patch.Package, "api.go")] = text
	}
	var s3 model
	if err := load(models, "s3", &s3); err != nil {
		return nil, err
	}
	text, err := dataPlane(&s3)
	if err != nil {
		return nil, fmt.Errorf("generate s3: %w", err)
	}
	files[filepath.Join("s3", "operations.go")] = text
	return files, nil
}

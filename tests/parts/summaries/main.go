// Reads a statement on standard input with in-toto's own types, and writes what they hold: one line of JSON.
//
// The statement has no member that in-toto's types do not know and passes their own validation. A predicate
// may have more (SLSA: consumers ignore fields that they do not know), and those that it has are listed.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	svr "github.com/in-toto/attestation/go/predicates/svr/v01"
	vsa "github.com/in-toto/attestation/go/predicates/vsa/v1"
	statement "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

type reading struct {
	PredicateType string              `json:"predicateType"`
	Subjects      []map[string]string `json:"subjects"`
	Predicate     json.RawMessage     `json:"predicate"`
	Unknown       []string            `json:"unknown"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	bytes, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err != nil {
		return err
	}
	var said statement.Statement
	if err := protojson.Unmarshal(bytes, &said); err != nil {
		return err
	}
	if err := said.Validate(); err != nil {
		return err
	}
	predicate, err := said.Predicate.MarshalJSON()
	if err != nil {
		return err
	}
	kinds := map[string]proto.Message{
		"https://slsa.dev/verification_summary/v1": new(vsa.VerificationSummary),
		"https://in-toto.io/attestation/svr/v0.2":  new(svr.SimpleVerificationResult),
	}
	kind, known := kinds[said.PredicateType]
	if !known {
		return fmt.Errorf("no predicate of these types: %s", said.PredicateType)
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(predicate, kind); err != nil {
		return err
	}
	typed, err := protojson.Marshal(kind)
	if err != nil {
		return err
	}
	result := reading{PredicateType: said.PredicateType, Predicate: typed, Unknown: unknown(predicate, typed)}
	for _, subject := range said.Subject {
		result.Subjects = append(result.Subjects, subject.Digest)
	}
	return json.NewEncoder(out).Encode(result)
}

// Members at the top of a predicate that its type does not have.
func unknown(whole, typed []byte) []string {
	var said, kept map[string]any
	if json.Unmarshal(whole, &said) != nil || json.Unmarshal(typed, &kept) != nil {
		return nil
	}
	maps.DeleteFunc(said, func(name string, _ any) bool { _, is := kept[name]; return is })
	return slices.Sorted(maps.Keys(said))
}

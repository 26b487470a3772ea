module laforge.example/tests/parts/summaries

go 1.26.7

require (
	github.com/in-toto/attestation v1.2.0
	google.golang.org/protobuf v1.36.11
)

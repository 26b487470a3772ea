// The OpenTelemetry Collector's own OTLP receiver, and a line of JSON for each batch of spans that it took.
//
//	otlp-receiver ADDRESS   takes OTLP over HTTP there; says "ready" on stderr, and batches on stdout
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address string) error {
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	written := confmap.NewFromStringMap(map[string]any{
		"protocols": map[string]any{"http": map[string]any{"endpoint": address}},
	})
	if err := written.Unmarshal(config); err != nil {
		return err
	}
	var turn sync.Mutex
	taken, err := consumer.NewTraces(func(_ context.Context, traces ptrace.Traces) error {
		line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
		if err != nil {
			return err
		}
		turn.Lock()
		defer turn.Unlock()
		_, err = fmt.Println(string(line))
		return err
	})
	if err != nil {
		return err
	}
	ends, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	settings := receivertest.NewNopSettings(factory.Type())
	receiver, err := factory.CreateTraces(ends, settings, config, taken)
	if err != nil {
		return err
	}
	if err := receiver.Start(ends, componenttest.NewNopHost()); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "ready")
	<-ends.Done()
	return receiver.Shutdown(context.Background())
}

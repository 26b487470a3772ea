// Moves the weights of an HTTPRoute for the Argo Rollouts controller, where argoproj-labs' plugin can't be had as a
// module. It answers to that plugin's name and configuration, so that a rendered Rollout runs as it is.
//
// In: SetWeight calls over go-plugin's RPC, and a kubeconfig in KUBECONFIG. Out: the two weights of every rule that
// sends to both Services. https://argo-rollouts.readthedocs.io/en/stable/features/traffic-management/plugins/
package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/rollout/trafficrouting/plugin/rpc"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	"github.com/hashicorp/go-plugin"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/retry"
)

const name = "argoproj-labs/gatewayAPI"

var routes = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}

type router struct{ client dynamic.Interface }

func failed(err error) types.RpcError {
	if err == nil {
		return types.RpcError{}
	}
	return types.RpcError{ErrorString: err.Error()}
}

func (r *router) InitPlugin() types.RpcError {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return failed(err)
	}
	r.client, err = dynamic.NewForConfig(config)
	return failed(err)
}

func (r *router) SetWeight(rollout *v1alpha1.Rollout, weight int32, _ []v1alpha1.WeightDestination) types.RpcError {
	canary := rollout.Spec.Strategy.Canary
	var named struct{ HttpRoute, Namespace string }
	if err := json.Unmarshal(canary.TrafficRouting.Plugins[name], &named); err != nil {
		return failed(err)
	}
	weights := map[string]int64{canary.StableService: int64(100 - weight), canary.CanaryService: int64(weight)}
	return failed(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		routes := r.client.Resource(routes).Namespace(named.Namespace)
		route, err := routes.Get(context.Background(), named.HttpRoute, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if err := set(route, weights); err != nil {
			return err
		}
		_, err = routes.Update(context.Background(), route, metav1.UpdateOptions{})
		return err
	}))
}

// set changes the rules that send to both Services; there has to be one.
func set(route *unstructured.Unstructured, weights map[string]int64) error {
	rules, _, err := unstructured.NestedSlice(route.Object, "spec", "rules")
	if err != nil {
		return err
	}
	changed := 0
	for _, rule := range rules {
		backends, _ := rule.(map[string]any)["backendRefs"].([]any)
		both := map[string]map[string]any{}
		for _, backend := range backends {
			backend := backend.(map[string]any)
			if _, ours := weights[backend["name"].(string)]; ours {
				both[backend["name"].(string)] = backend
			}
		}
		if len(both) < len(weights) {
			continue
		}
		for service, backend := range both {
			backend["weight"] = weights[service]
		}
		changed++
	}
	if changed == 0 {
		return errors.New("no rule of the route sends to both Services")
	}
	return unstructured.SetNestedSlice(route.Object, rules, "spec", "rules")
}

func (r *router) VerifyWeight(*v1alpha1.Rollout, int32, []v1alpha1.WeightDestination) (types.RpcVerified, types.RpcError) {
	return types.NotImplemented, types.RpcError{}
}

func (r *router) UpdateHash(*v1alpha1.Rollout, string, string, []v1alpha1.WeightDestination) types.RpcError {
	return types.RpcError{}
}

func (r *router) SetHeaderRoute(*v1alpha1.Rollout, *v1alpha1.SetHeaderRoute) types.RpcError {
	return types.RpcError{}
}

func (r *router) SetMirrorRoute(*v1alpha1.Rollout, *v1alpha1.SetMirrorRoute) types.RpcError {
	return types.RpcError{}
}

func (r *router) RemoveManagedRoutes(*v1alpha1.Rollout) types.RpcError { return types.RpcError{} }

func (r *router) Type() string { return name }

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  1,
			MagicCookieKey:   "ARGO_ROLLOUTS_RPC_PLUGIN",
			MagicCookieValue: "trafficrouter",
		},
		Plugins: map[string]plugin.Plugin{"RpcTrafficRouterPlugin": &rpc.RpcTrafficRouterPlugin{Impl: &router{}}},
	})
}

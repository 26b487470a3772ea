// Package kubernetes pins the Gateway API, whose custom resource definitions lie in its module beside this package.
package kubernetes

import _ "sigs.k8s.io/gateway-api/apis/v1"

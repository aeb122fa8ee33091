// Reads custom resources as JSON lines, and answers one line for each: what is wrong with it, or nothing.
// The models were made from the types of KEDA, of the Prometheus operator and of the Gateway API themselves.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

// By file, because the packages are not installed beside this one.
const load = (group) => import(pathToFileURL(`${process.argv[2]}/@kubernetes-models/${group}/index.js`));
const models = {
  "keda.sh/v1alpha1": await load("keda/keda.sh/v1alpha1"),
  "monitoring.coreos.com/v1": await load("prometheus-operator/monitoring.coreos.com/v1"),
  "gateway.networking.k8s.io/v1": await load("gateway-api/gateway.networking.k8s.io/v1"),
};

for await (const line of createInterface({ input: process.stdin })) {
  const resource = JSON.parse(line);
  const Model = models[resource.apiVersion]?.[resource.kind];
  try {
    if (!Model) throw new Error(`nobody knows ${resource.apiVersion} ${resource.kind}`);
    new Model(resource).validate();
    console.log("");
  } catch (error) {
    console.log(error.message);
  }
}

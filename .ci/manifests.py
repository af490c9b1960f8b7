"""Checks rendered Kubernetes manifests: manifests.py SCHEMA-FOLDER RENDERED.yaml...

Each document against the schema of its kind, where a field that the schema does not know is an error; then what no
schema can know: that the documents of all files fit each other. One line for each document that passed.
"""

import json
import pathlib
import re
import sys
import tomllib

import jsonschema
import kubernetes_validate
import yaml

# The oldest release in which all our fields are stable, and the newest that the validator knows.
VERSIONS = ["1.31", "1.37"]
CUSTOM = {("monitoring.coreos.com/v1", "PodMonitor"): "pod-monitor.json"}


def fail(text):
    sys.exit(f"manifests: {text}")


def check_schema(folder, document):
    kind, name = document["kind"], document["metadata"]["name"]
    custom = CUSTOM.get((document["apiVersion"], kind))
    try:
        if custom:
            schema = json.loads((folder / custom).read_text())
            jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)
            print(f"ok  {kind}/{name}: our own schema of the fields we use ({custom}); not the operator's")
            return
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)
        print(f"ok  {kind}/{name}: strict schema of Kubernetes {' and '.join(VERSIONS)}")
    except (kubernetes_validate.ValidationError, jsonschema.ValidationError) as error:
        where = "/".join(str(part) for part in error.path) or "top level"
        fail(f"{kind}/{name}, {where}: {error.message}")
    except kubernetes_validate.SchemaNotFoundError:
        fail(f"{kind}/{name}: no schema for {document['apiVersion']} {kind}; write one and name it in CUSTOM")


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(s|m)", text).groups()
    return int(number) * {"s": 1, "m": 60}[unit]


def check_fit(documents):
    def named(kind):
        return {d["metadata"]["name"]: d for d in documents if d["kind"] == kind}

    (deployment,) = named("Deployment").values()
    pod = deployment["spec"]["template"]
    labels = pod["metadata"]["labels"]
    ports = {p["name"]: p["containerPort"] for c in pod["spec"]["containers"] for p in c["ports"]}

    (volume,) = [v for v in pod["spec"]["volumes"] if "configMap" in v]
    config_map = named("ConfigMap").get(volume["configMap"]["name"])
    if config_map is None:
        fail("the Deployment's ConfigMap is not among the documents")
    config = tomllib.loads(config_map["data"]["retentiond.toml"])
    if int(config["http"]["listen"].rsplit(":", 1)[1]) != ports["metrics"]:
        fail("http.listen and the container's port differ")
    if pod["spec"]["terminationGracePeriodSeconds"] <= seconds(config["shutdown"]["grace_period"]):
        fail("terminationGracePeriodSeconds is not above shutdown.grace_period")
    if pod["spec"]["serviceAccountName"] not in named("ServiceAccount"):
        fail("the Deployment's ServiceAccount is not among the documents")

    selectors = {
        "Deployment": deployment["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": named("NetworkPolicy")["retentiond"]["spec"]["podSelector"]["matchLabels"],
        "PodDisruptionBudget": named("PodDisruptionBudget")["retentiond"]["spec"]["selector"]["matchLabels"],
        "PodMonitor": named("PodMonitor")["retentiond"]["spec"]["selector"]["matchLabels"],
        "Service": named("Service")["retentiond-metrics"]["spec"]["selector"],
    }
    jobs = named("Job")
    if sorted(jobs) != ["retentiond-by-hand", "retentiond-migrate"]:
        fail(f"other jobs than expected: {sorted(jobs)}")
    for kind, selector in selectors.items():
        if not selector.items() <= labels.items():
            fail(f"the {kind} does not select the pods of the Deployment")
        for name, job in jobs.items():
            job_labels = job["spec"]["template"]["metadata"]["labels"]
            # The job's pod must be under the NetworkPolicy, and must not pass for one of the service's.
            if (selector.items() <= job_labels.items()) != (kind == "NetworkPolicy"):
                fail(f"the {kind} selects the wrong pods: look at the labels of {name}")

    for workload in (deployment, *jobs.values()):
        spec = workload["spec"]["template"]["spec"]
        for volume in spec["volumes"]:
            if volume.get("secret", {}).get("defaultMode", 0) & 0o037:
                fail(f"{workload['kind']}: retentiond refuses a keyring with this defaultMode")
        for container in spec["containers"]:
            context = container["securityContext"]
            if context["capabilities"] != {"drop": ["ALL"]} or context["allowPrivilegeEscalation"]:
                fail(f"{workload['kind']}: more rights than needed")
    print("ok  the manifests fit each other: selectors, ports, ConfigMap, ServiceAccount, grace period, secrets' mode")


def main():
    folder, *files = map(pathlib.Path, sys.argv[1:])
    documents = [d for file in files for d in yaml.safe_load_all(file.read_text()) if d]
    for document in documents:
        check_schema(folder, document)
    check_fit(documents)


main()

"""The OpenAPI document of the admin API: valid by the standard's own schema, and true."""

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from support.admin_api import AdminAPI
from support.command_line import store_settings
from support.gateway import service


@pytest.fixture(scope="module")
def api(shared):
    gateway = shared.gateway([service("app", "127.0.0.1:1")], settings=store_settings(shared.folder))
    return AdminAPI(gateway)


@pytest.fixture(scope="module")
def document(api):
    return api.get("/openapi.json")


def test_it_is_valid(document):
    assert document["openapi"].startswith("3.1.")
    errors = [f"{list(error.path)}: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors()]
    assert errors == []


def test_every_schema_is_a_schema(document):
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("kind", ["listeners", "services", "certificates", "routes"])
def test_answers_fit_their_schemas(api, document, kind):
    content = document["paths"][f"/v1/{kind}"]["get"]["responses"]["200"]["content"]["application/json"]
    schema = {**content["schema"], "components": document["components"]}
    page = api.get(f"/v1/{kind}")
    jsonschema.validate(page, schema, cls=jsonschema.Draft202012Validator)
    for item in page["items"]:
        name = {"listeners": "Listener", "services": "Service", "certificates": "Certificate", "routes": "Route"}[kind]
        resource = api.get(f"/v1/{kind}/{item['name']}")
        assert resource == item["resource"]
        jsonschema.validate(resource, {"$ref": f"#/components/schemas/{name}", "components": document["components"]},
                            cls=jsonschema.Draft202012Validator)


def test_every_path_answers_and_knows_its_methods(api, document):
    for path, operations in document["paths"].items():
        target = path.replace("{name}", "none").replace("{revision}", "1").replace("{type}", "unauthorized")
        for method in ("GET", "PUT", "POST", "PATCH", "DELETE"):
            if method.lower() not in operations:
                answer = api(method, target, status=405)
                allowed = {name.strip().lower() for name in answer.fields["allow"].split(",")} - {"head"}
                assert allowed == set(operations), path


@pytest.mark.parametrize("url", ["http://shop.test/a", "https://shop.test/", "http://shop.test:1/a"])
def test_explanations_fit_their_schema(api, document, url):
    explanation = api("POST", "/v1/explain", {"url": url}, status=200).json
    jsonschema.validate(explanation, {"$ref": "#/components/schemas/Explanation", "components": document["components"]},
                        cls=jsonschema.Draft202012Validator)

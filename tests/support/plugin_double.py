"""Runs inside Orthanc, for a test: the gate as guard, beside a small filter that asks as the Authorization plugin
does (CheckedLevel "studies"): every request that names a study is asked about with the token it carries, a DICOMweb one
as "get" and as "post" too; any other is refused but to the site's own users. Filters are ANDed."""

import base64
import http.client
import json
import pathlib
from concurrent import futures

import orthanc

GATE = pathlib.Path(__file__).parents[2] / "orthanc-plugin" / "studykey_gate.py"
SECTION = json.loads(orthanc.GetConfiguration())["Studykey"]
METHODS = {
    orthanc.HttpMethod.GET: "get",
    orthanc.HttpMethod.POST: "post",
    orthanc.HttpMethod.PUT: "put",
    orthanc.HttpMethod.DELETE: "delete",
}
threads = futures.ThreadPoolExecutor(8)  # Orthanc's own have a stack of 100 KB


def ask(question):
    connection = http.client.HTTPConnection(SECTION["Url"].removeprefix("http://"), timeout=5)
    secret = base64.b64encode(f"{SECTION['Username']}:{SECTION['Password']}".encode()).decode()
    headers = {"Authorization": "Basic " + secret, "Content-Type": "application/json"}
    connection.request(
        "POST", "/tokens/validate", iter([json.dumps(question).encode()]), headers, encode_chunked=True
    )
    return json.loads(connection.getresponse().read())["granted"]


def study_of(uri):
    parts = uri.strip("/").split("/")
    if parts[0] == "dicom-web" and parts[1:2] == ["studies"] and len(parts) > 2:
        found = json.loads(orthanc.RestApiPost("/tools/lookup", parts[2]))
        return next((one["ID"] for one in found if one["Type"] == "Study"), None)
    if parts[0] == "studies" and len(parts) > 1:
        return parts[1]
    if parts[0] in ("series", "instances") and len(parts) > 1:
        return json.loads(orthanc.RestApiGet(f"/{parts[0]}/{parts[1]}/study"))["ID"]
    return None


def plugin(uri, **request):
    headers, query = request["headers"], dict(request.get("get") or {})
    authorization = headers.get("authorization", "")
    users = [base64.b64encode(f"{name}:{word}".encode()).decode() for name, word in SECTION["Users"].items()]
    if authorization.removeprefix("Basic ") in users:
        return True
    token = headers.get("token") or query.get("token") or authorization
    study, method = study_of(uri), METHODS[request["method"]]
    if not study or not token:
        return False
    uid = json.loads(orthanc.RestApiGet(f"/studies/{study}"))["MainDicomTags"]["StudyInstanceUID"]
    methods = {method, "post"} if uri.startswith("/dicom-web/") else {method}
    base = {"dicom-uid": uid, "level": "study", "orthanc-id": study, "server-id": None, "token-key": "token"}
    asked = [threads.submit(ask, {**base, "method": one, "token-value": token}) for one in methods]
    return all(one.result() for one in asked)


filters = []
register = orthanc.RegisterIncomingHttpRequestFilter
orthanc.RegisterIncomingHttpRequestFilter = filters.append
exec(compile(GATE.read_text(), str(GATE), "exec"))
register(lambda uri, **request: all(one(uri, **request) for one in [*filters, plugin]))

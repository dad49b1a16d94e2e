"""What version 2 of the AWS CLI does for `aws sso login`, with its own library: the device grant, then PKCE.

A person is played with a cookie jar. Prints one JSON object.
"""
import base64
import hashlib
import html
import http.cookiejar
import json
import re
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config

api, start, web = sys.argv[1:]
client = botocore.session.get_session().create_client(
    "sso-oidc", region_name="us-east-1", endpoint_url=api, config=Config(signature_version=UNSIGNED))
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
BACK = "http://127.0.0.1:53124/oauth/callback"


class Arrived(Exception):
    """The browser was sent to the program's own address."""


class Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if newurl.startswith(BACK):
            raise Arrived(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


jar = http.cookiejar.CookieJar()
browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar), Redirects)


def visit(url, form=None):
    """Opens a page, and goes on through the provider's page as its first person."""
    data = urllib.parse.urlencode(form).encode() if form else None
    with browser.open(urllib.request.Request(url, data=data)) as f:
        at, text = f.geturl(), f.read().decode()
    if m := re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', text):
        return visit(html.unescape(m[1]))
    if "/sign-in?request" in at:
        person = re.search(r'name="person" value="([^"]+)"', text)[1]
        request = re.search(r'name="request" value="([^"]+)"', text)[1]
        return visit(at.split("?")[0], {"request": request, "person": person})
    return text


def ticket(page):
    return re.search(r'name="ticket" value="([^"]+)"', page)[1]


def error(call, **arguments):
    try:
        call(**arguments)
    except client.exceptions.ClientError as e:
        return type(e).__name__
    return "none"


out = {}
registered = client.register_client(clientName="botocore-client-test", clientType="public", scopes=["sso:account:access"])
own = {k: registered[k] for k in ("clientId", "clientSecret")}
device = client.start_device_authorization(startUrl=start, **own)
ask = {"grantType": DEVICE, "deviceCode": device["deviceCode"], **own}
out["pending"] = error(client.create_token, **ask)
out["early"] = error(client.create_token, **ask)
page = visit(device["verificationUriComplete"])
visit(web + "/device/decision", {"ticket": ticket(page), "answer": "allow"})
token = client.create_token(**ask)
out["tokenType"], out["expiresIn"] = token["tokenType"], token["expiresIn"]
out["again"] = error(client.create_token, **ask)
refresh = {"grantType": "refresh_token", "refreshToken": token["refreshToken"], **own}
out["refreshed"] = client.create_token(**refresh)["accessToken"] != token["accessToken"]
out["refreshedAgain"] = error(client.create_token, **refresh)

registered = client.register_client(
    clientName="botocore-client-test", clientType="public", scopes=["sso:account:access"], issuerUrl=start,
    grantTypes=["authorization_code", "refresh_token"], redirectUris=["http://127.0.0.1/oauth/callback"])
own = {k: registered[k] for k in ("clientId", "clientSecret")}
out["registration"] = registered["clientSecretExpiresAt"] - int(time.time()) > 89 * 24 * 3600
verifier = secrets.token_urlsafe(48)
challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
page = visit(api + "/authorize?" + urllib.parse.urlencode({
    "response_type": "code", "client_id": own["clientId"], "redirect_uri": BACK, "state": "s-1",
    "code_challenge_method": "S256", "code_challenge": challenge, "scopes": "sso:account:access"}))
try:
    visit(web + "/authorize", {"ticket": ticket(page), "answer": "allow"})
    raise SystemExit("the browser was not sent back")
except Arrived as e:
    answer = dict(urllib.parse.parse_qsl(str(e).split("?")[1]))
out["state"] = answer["state"]
redeem = {"grantType": "authorization_code", "code": answer["code"], "redirectUri": BACK, "codeVerifier": verifier, **own}
token = client.create_token(**redeem)
out["code"] = bool(token["accessToken"] and token["refreshToken"])
out["codeAgain"] = error(client.create_token, **redeem)
out["refreshAfterCodeAgain"] = error(client.create_token, grantType="refresh_token", refreshToken=token["refreshToken"], **own)
out["foreign"] = error(client.register_client, clientName="x", clientType="public", grantTypes=["authorization_code"], redirectUris=["https://evil.example.com/"])
print(json.dumps(out))

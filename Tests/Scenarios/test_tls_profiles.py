"""What sslyze finds, for each profile, against Mozilla's guidelines for servers."""

import pytest
from sslyze import (ScanCommand, ScanCommandAttemptStatusEnum, Scanner, ServerNetworkConfiguration,
                    ServerNetworkLocation, ServerScanRequest)

from support.gateway import service

COMMANDS = {
    ScanCommand.SSL_2_0_CIPHER_SUITES, ScanCommand.SSL_3_0_CIPHER_SUITES, ScanCommand.TLS_1_0_CIPHER_SUITES,
    ScanCommand.TLS_1_1_CIPHER_SUITES, ScanCommand.TLS_1_2_CIPHER_SUITES, ScanCommand.TLS_1_3_CIPHER_SUITES,
    ScanCommand.TLS_COMPRESSION, ScanCommand.TLS_FALLBACK_SCSV, ScanCommand.HEARTBLEED, ScanCommand.ROBOT,
    ScanCommand.OPENSSL_CCS_INJECTION, ScanCommand.SESSION_RENEGOTIATION, ScanCommand.ELLIPTIC_CURVES,
    ScanCommand.TLS_1_3_EARLY_DATA,
}

TLS_1_3 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
# Those of `intermediate` that an ECDSA, and an RSA, certificate can serve; the DHE ones are for clients that
# have no elliptic curves, and may be left out.
ECDSA = {f"TLS_ECDHE_ECDSA_WITH_{suite}" for suite in (
    "AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")}
RSA = {f"TLS_ECDHE_RSA_WITH_{suite}" for suite in (
    "AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")}
DHE = {f"TLS_DHE_RSA_WITH_{suite}" for suite in (
    "AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")}
CURVES = {"X25519", "secp256r1", "secp384r1"}


class Report:
    """What sslyze says of one gateway, every command of which has to have worked."""

    def __init__(self, port: int):
        scanner = Scanner()
        scanner.queue_scans([ServerScanRequest(
            ServerNetworkLocation("example.test", port, "127.0.0.1"),
            ServerNetworkConfiguration("example.test"), COMMANDS)])
        result = next(iter(scanner.get_results()))
        assert result.scan_result is not None, result.connectivity_error_trace
        self._result = result.scan_result

    def of(self, command: str):
        attempt = getattr(self._result, command)
        assert attempt.status == ScanCommandAttemptStatusEnum.COMPLETED, (command, attempt.error_trace)
        return attempt.result

    def suites(self, version: str) -> set[str]:
        return {one.cipher_suite.name for one in self.of(f"{version}_cipher_suites").accepted_cipher_suites}


@pytest.fixture(scope="module")
def report(shared):
    authority = shared.authority()
    leaves = [authority.issue("example.test").described("ecdsa"),
              authority.issue("example.test", key="rsa").described("rsa")]
    origin = shared.origin()
    found: dict[str, Report] = {}

    def of_profile(profile: str) -> Report:
        if profile not in found:
            gateway = shared.gateway([service("app", origin)], tls={"profile": profile}, certificates=leaves)
            found[profile] = Report(gateway.port)
        return found[profile]
    return of_profile


@pytest.mark.parametrize("profile", ["intermediate", "modern"])
class TestBothProfiles:
    @pytest.mark.parametrize("version", ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"])
    def test_old_versions_are_off(self, report, profile, version):
        assert report(profile).suites(version) == set()

    def test_suites_of_tls_1_3(self, report, profile):
        assert report(profile).suites("tls_1_3") == TLS_1_3

    def test_groups(self, report, profile):
        assert {curve.name for curve in report(profile).of("elliptic_curves").supported_curves} == CURVES

    def test_no_early_data_which_could_be_replayed(self, report, profile):
        assert not report(profile).of("tls_1_3_early_data").supports_early_data

    def test_no_compression(self, report, profile):
        assert not report(profile).of("tls_compression").supports_compression

    def test_none_of_the_named_attacks_works(self, report, profile):
        assert not report(profile).of("heartbleed").is_vulnerable_to_heartbleed
        assert not report(profile).of("openssl_ccs_injection").is_vulnerable_to_ccs_injection
        assert "NOT_VULNERABLE" in report(profile).of("robot").robot_result.name

    def test_clients_cannot_renegotiate(self, report, profile):
        assert not report(profile).of("session_renegotiation").is_vulnerable_to_client_renegotiation_dos


class TestIntermediate:
    def test_suites_of_tls_1_2(self, report):
        suites = report("intermediate").suites("tls_1_2")
        assert ECDSA | RSA <= suites
        assert suites - DHE == ECDSA | RSA

    def test_downgrades_are_noticed(self, report):
        assert report("intermediate").of("tls_fallback_scsv").supports_fallback_scsv


class TestModern:
    def test_no_tls_1_2(self, report):
        assert report("modern").suites("tls_1_2") == set()

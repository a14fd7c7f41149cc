import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.UUID;

/** A test in a sandbox of its own: `bulkproof run onkey -- java RecordsTest.java`, or a method of a JUnit class. */
public class RecordsTest {
    static final String ROOT = System.getenv().getOrDefault("BULKPROOF_URL", "http://127.0.0.1:8080");
    static final HttpClient HTTP = HttpClient.newHttpClient();

    final String sandbox = "records-" + UUID.randomUUID();

    public static void main(String[] args) throws Exception {
        new RecordsTest().sendsOnlyTheFailedRecordAgain();
    }

    void sendsOnlyTheFailedRecordAgain() throws Exception {
        control("PUT", "/clock", """
            {"mode": "frozen"}""");
        control("POST", "/scenarios", """
            {"scenarios": [{"name": "def-fails-once", "rules": [{
              "when": {"operation": "batchCreate"},
              "items": {"where": {"properties.code": "DEF"}},
              "then": {"fail": {"code": "Sandbox_BusinessRule"}},
              "times": 1}]}]}""");

        createRecords(ROOT + "/@" + sandbox + "/onkey");

        String stored = control("GET", "/entities/onkey/AssetImportance", null);
        check(stored.contains("\"code\":\"ABC\"") && stored.contains("\"code\":\"DEF\""), stored);
        String verdict = control("GET", "/verdict", null);
        check(verdict.contains("\"failed\":0"), verdict);
        control("DELETE", "", null);
    }

    /** The client under test; yours is told the base URL in the same way. */
    static void createRecords(String baseUrl) throws Exception {
        String path = baseUrl + "/api/tenants/contoso/sandbox/modules/risk/assetimportances/batch?mode=PerRecord";
        String abc = "{\"userObjectId\": \"1\", \"properties\": {\"code\": \"ABC\", \"description\": \"One\"}}";
        String def = "{\"userObjectId\": \"2\", \"properties\": {\"code\": \"DEF\", \"description\": \"Two\"}}";
        String told = send("POST", path, "application/vnd.onkey.entitycollection+json", "[" + abc + "," + def + "]");
        if (told.contains("Sandbox_BusinessRule")) {
            send("POST", path, "application/vnd.onkey.entitycollection+json", "[" + def + "]");
        }
    }

    String control(String method, String path, String body) throws IOException, InterruptedException {
        return send(method, ROOT + "/_sandbox/sandboxes/" + sandbox + path, "application/json", body);
    }

    static String send(String method, String url, String type, String body) throws IOException, InterruptedException {
        var content = body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body);
        var request = HttpRequest.newBuilder(URI.create(url)).header("Content-Type", type).method(method, content);
        var answer = HTTP.send(request.build(), BodyHandlers.ofString());
        check(answer.statusCode() < 400, method + " " + url + ": " + answer.body());
        return answer.body();
    }

    static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}

import com.jayway.jsonpath.Configuration;
import com.jayway.jsonpath.JsonPath;
import com.jayway.jsonpath.PathNotFoundException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.StringWriter;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import net.minidev.json.JSONObject;
import net.minidev.json.JSONValue;
import org.apache.commons.lang.StringEscapeUtils;
import org.apache.velocity.VelocityContext;
import org.apache.velocity.app.VelocityEngine;
import org.apache.velocity.app.event.EventCartridge;
import org.apache.velocity.app.event.ReferenceInsertionEventHandler;
import org.apache.velocity.exception.ParseErrorException;
import org.apache.velocity.runtime.RuntimeConstants;

/**
 * Apache Velocity 1.7 and Jayway JsonPath 2.0.0 behind a pipe: one JSON object a line in, one out.
 *
 *   {"template": "...", "body": "...", "params": {"path": {}, "querystring": {}, "header": {}}, "context": {}, "stageVariables": {}}
 *   {"output": "..."} or {"parseError": "..."} or {"renderError": "..."}
 *   {"jsonPath": "$.a", "body": "..."}  ->  {"output": JSON text} or {"missing": true} or {"parseError": "..."}
 */
public class Oracle {
  public static void main(String[] arguments) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream out = new PrintStream(System.out, true, "UTF-8");
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      JSONObject question = (JSONObject) JSONValue.parse(line);
      Map<String, Object> answer = new LinkedHashMap<>();
      if (question.containsKey("jsonPath")) select(question, answer);
      else render(question, answer);
      out.println(JSONObject.toJSONString(answer));
    }
  }

  private static void select(JSONObject question, Map<String, Object> answer) {
    JsonPath path;
    try {
      path = JsonPath.compile((String) question.get("jsonPath"));
    } catch (RuntimeException e) {
      answer.put("parseError", String.valueOf(e.getMessage()));
      return;
    }
    try {
      Object found = path.read((String) question.get("body"));
      answer.put("output", Configuration.defaultConfiguration().jsonProvider().toJson(box(found)));
    } catch (PathNotFoundException e) {
      answer.put("missing", true);
    } catch (RuntimeException e) {
      answer.put("renderError", String.valueOf(e));
    }
  }

  /** A JSONObject prints as JSON; what API Gateway hands out prints as a map. */
  private static Object plain(Object value) {
    Map<String, Object> map = new LinkedHashMap<>();
    if (value == null) return map;
    if (!(value instanceof JSONObject)) return value;
    ((JSONObject) value).forEach((name, each) -> map.put(name, plain(each)));
    return map;
  }

  /** A provider writes containers only; the case runner unwraps. */
  private static Object box(Object value) {
    net.minidev.json.JSONArray array = new net.minidev.json.JSONArray();
    array.add(value);
    return array;
  }

  private static void render(JSONObject question, Map<String, Object> answer) {
    VelocityEngine engine = new VelocityEngine();
    engine.setProperty(RuntimeConstants.RUNTIME_LOG_LOGSYSTEM_CLASS, "org.apache.velocity.runtime.log.NullLogChute");
    engine.init();
    VelocityContext context = new VelocityContext();
    context.put("input", new Input(question));
    context.put("util", new Util());
    context.put("context", plain(question.get("context")));
    context.put("stageVariables", plain(question.get("stageVariables")));
    if (!Boolean.TRUE.equals(question.get("plain"))) {
      EventCartridge cartridge = new EventCartridge();
      // What is null or was never assigned prints as nothing.
      cartridge.addReferenceInsertionEventHandler((ReferenceInsertionEventHandler) (reference, value) -> value == null ? "" : value);
      cartridge.attachToContext(context);
    }
    StringWriter text = new StringWriter();
    try {
      engine.evaluate(context, text, "template", (String) question.get("template"));
      answer.put("output", text.toString());
    } catch (ParseErrorException e) {
      answer.put("parseError", e.getMessage());
    } catch (Throwable e) {
      answer.put("renderError", String.valueOf(e));
    }
  }

  public static class Input {
    private final JSONObject question;

    Input(JSONObject question) {
      this.question = question;
    }

    public String getBody() {
      String body = (String) question.get("body");
      return body == null || body.isEmpty() ? "{}" : body;
    }

    public Object path(String path) {
      try {
        return JsonPath.read(getBody(), path);
      } catch (PathNotFoundException e) {
        return null;
      }
    }

    public String json(String path) {
      try {
        Object found = JsonPath.read(getBody(), path);
        String boxed = Configuration.defaultConfiguration().jsonProvider().toJson(box(found));
        return boxed.substring(1, boxed.length() - 1);
      } catch (PathNotFoundException e) {
        return "\"\"";
      }
    }

    public Object params() {
      return plain(question.get("params"));
    }

    public String params(String name) {
      JSONObject params = (JSONObject) question.get("params");
      for (String where : new String[] {"path", "querystring", "header"}) {
        Map<?, ?> values = (Map<?, ?>) params.get(where);
        if (values != null && values.containsKey(name)) return (String) values.get(name);
      }
      return "";
    }
  }

  public static class Util {
    public String escapeJavaScript(String text) {
      return StringEscapeUtils.escapeJavaScript(text);
    }

    public Object parseJson(String text) {
      return Configuration.defaultConfiguration().jsonProvider().parse(text);
    }

    public String urlEncode(String text) throws Exception {
      return URLEncoder.encode(text, "UTF-8");
    }

    public String urlDecode(String text) throws Exception {
      return URLDecoder.decode(text, "UTF-8");
    }

    public String base64Encode(String text) {
      return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    public String base64Decode(String text) {
      return new String(Base64.getDecoder().decode(text), StandardCharsets.UTF_8);
    }
  }
}

"""What runs inside a Python execution environment: a client of the Lambda Runtime API around the tenant's handler.

Behaviour follows aws-lambda-python-runtime-interface-client (error names, texts, key order).
"""

import http.client
import importlib
import json
import os
import sys
import time
import traceback

API = "/2018-06-01/runtime"
LAMBDA_TASK_ROOT = os.environ["LAMBDA_TASK_ROOT"]
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method, path, body=None, headers=None):
    connection.request(method, API + path, body, headers or {})
    response = connection.getresponse()
    return response, response.read()


class Fault(Exception):
    def __init__(self, error_type, message):
        super().__init__(message)
        self.error_type = error_type


def described(error, request_id):
    if isinstance(error, Fault):
        return {"errorMessage": str(error), "errorType": error.error_type, "requestId": request_id, "stackTrace": []}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    trace = traceback.format_list([frame for frame in frames if not frame.filename.startswith("<frozen")])
    return {"errorMessage": str(error), "errorType": type(error).__name__, "requestId": request_id, "stackTrace": trace}


def log_error(described_error):
    print("[ERROR] {errorType}: {errorMessage}".format(**described_error))
    if described_error["stackTrace"]:
        print("Traceback (most recent call last):")
        print("".join(described_error["stackTrace"]), end="")


def flush():
    sys.stdout.flush()
    sys.stderr.flush()


def load_handler(name):
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from None
    except SyntaxError as error:
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}") from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'") from None


class Context:
    def __init__(self, headers):
        environ = os.environ
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context = json.loads(headers.get("Lambda-Runtime-Client-Context", "null"))
        self.identity = None
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(self._deadline_ms - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))


def answer(handler, headers, body):
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    trace = headers.get("Lambda-Runtime-Trace-Id")
    if trace:
        os.environ["_X_AMZN_TRACE_ID"] = trace
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        result = handler(json.loads(body), Context(headers))
    except Exception as error:
        fault = described(error, request_id)
    else:
        try:
            payload = json.dumps(result, ensure_ascii=False).encode()
            flush()
            return call("POST", f"/invocation/{request_id}/response", payload)
        except (TypeError, ValueError) as error:
            fault = described(Fault("Runtime.MarshalError", f"Unable to marshal response: {error}"), request_id)
    log_error(fault)
    flush()
    call("POST", f"/invocation/{request_id}/error", json.dumps(fault).encode(), {"Lambda-Runtime-Function-Error-Type": fault["errorType"]})


def main():
    sys.path[:] = [LAMBDA_TASK_ROOT, *[entry for entry in sys.path if entry != os.path.dirname(__file__)]]
    sys.stdout.reconfigure(line_buffering=True)
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as error:
        fault = described(error, "")
        log_error(fault)
        flush()
        call("POST", "/init/error", json.dumps(fault).encode(), {"Lambda-Runtime-Function-Error-Type": fault["errorType"]})
        sys.exit(1)
    while True:
        response, body = call("GET", "/invocation/next")
        answer(handler, response.headers, body)


main()

import AsyncHTTPClient
import QwenVL

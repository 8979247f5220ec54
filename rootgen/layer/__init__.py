"""(vocabulary of layer: written with the room)"""
